"""Copies of a model that `keras.models.clone_model` does not make of some."""

import contextlib

import keras


def cloned(model, replaced=None):
    """A copy of a model with new initial weights, which is not compiled.

    Keras compiles a copy as the model is, and cannot where a loss or a metric is a
    function of the user.

    Args:
        model: `keras.Model`, functional or sequential, or one that says how it is made.
        replaced: Dict of the name of a layer to one that takes its place.

    Returns:
        `keras.Model`.
    """
    replaced = replaced or {}

    def copy_of(layer):
        new = replaced.get(layer.name)
        return layer.__class__.from_config(layer.get_config()) if new is None else new

    def call(layer, *args, **kwargs):
        if layer.name in replaced:  # the arguments are those of another kind of layer
            kwargs = {}
        return layer(*args, **kwargs)

    settings = {"clone_function": copy_of, "call_function": call} if replaced else {}
    if isinstance(model, keras.Sequential):
        settings.pop("call_function", None)
    with _not_compiled(model):
        return keras.models.clone_model(model, **settings)


@contextlib.contextmanager
def _not_compiled(model):
    was_compiled, model.compiled = model.compiled, False
    try:
        yield
    finally:
        model.compiled = was_compiled
