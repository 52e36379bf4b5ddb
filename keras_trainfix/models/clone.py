"""Copies models, including those that `keras.models.clone_model` cannot copy."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras


def cloned(
    model: keras.Model, replaced: dict[str, keras.Layer] | None = None
) -> keras.Model:
    """A copy of a model with newly initialized weights, not compiled.

    `keras.models.clone_model` also compiles the copy, which fails if a loss or metric
    is a function of the user.

    Args:
        model: `keras.Model`: functional, sequential, or with a `get_config`.
        replaced: Dict of the name of a layer to the layer that replaces it, or None.
            Defaults to `None`.

    Returns:
        `keras.Model`.

    Examples:
        >>> model = keras.Sequential(
        ...     [keras.Input((3,)), keras.layers.ReLU(name="last")]
        ... )
        >>> last = keras.layers.Activation("sigmoid", name="last")
        >>> cloned(model, {"last": last}).layers == [last]
        True
    """
    new_layers = replaced or {}

    def copy_of(layer: keras.Layer) -> keras.Layer:
        if layer.name in new_layers:
            return new_layers[layer.name]
        return layer.__class__.from_config(layer.get_config())

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        if layer.name in new_layers:
            kwargs = {}  # those of another kind of layer
        return layer(*args, **kwargs)

    settings = {"clone_function": copy_of, "call_function": call} if replaced else {}
    if isinstance(model, keras.Sequential):
        settings.pop("call_function", None)
    with _not_compiled(model):
        return keras.models.clone_model(model, **settings)


@contextlib.contextmanager
def _not_compiled(model: keras.Model) -> Iterator[None]:
    was_compiled, model.compiled = model.compiled, False
    try:
        yield
    finally:
        model.compiled = was_compiled
