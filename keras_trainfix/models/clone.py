"""Copies models, including those that `keras.models.clone_model` cannot copy."""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_trainfix.keras_internals import graph_nodes, lambda_output_shape
from keras_trainfix.models.batch_norm_layers import all_layers


def cloned(
    model: keras.Model, replaced: dict[str, keras.Layer] | None = None
) -> keras.Model:
    """A copy of a model with newly initialized weights, not compiled.

    `keras.models.clone_model` also compiles the copy, which fails if a loss or metric
    is a function of the user. It finds classes of the user only if they are
    registered, and needs every `__init__` to take the arguments that Keras adds to a
    configuration.

    Args:
        model: A built `keras.Model`: functional, sequential, or a subclass with a
            `get_config` or without arguments.
        replaced: Dict of the name of a layer to the layer that replaces it, or None.
            A subclassed model replaces none. Defaults to `None`.

    Returns:
        `keras.Model`.

    Raises:
        ValueError: If the weights of the copy have other shapes.

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
        return _copied_layer(layer)

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        if layer.name in new_layers:
            kwargs = {}  # those of another kind of layer
        return layer(*args, **kwargs)

    classes = {type(layer).__name__: type(layer) for layer in all_layers(model)}
    with _not_compiled(model), keras.saving.custom_object_scope(classes):
        if isinstance(model, keras.Sequential):
            copy = keras.models.clone_model(
                model, clone_function=copy_of, recursive=True
            )
        elif graph_nodes(model):
            copy = keras.models.clone_model(
                model, clone_function=copy_of, call_function=call, recursive=True
            )
        else:
            copy = _copied_layer(model)
            copy.build_from_config(model.get_build_config())
    shapes = [[tuple(w.shape) for w in one.weights] for one in (model, copy)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            "A copy of `model` must have weights of the same shapes. Received: "
            f"model={model.name!r} with {len(shapes[0])} weights, and a copy with "
            f"{len(shapes[1])}. Create them in `__init__` or `build`."
        )
    return copy


def with_calls_changed(
    model: keras.Model,
    layers: list[keras.Layer],
    call: Callable[[keras.Layer, Any], Any],
) -> keras.Model:
    """A model of the same layers, some of which are called in another way.

    Args:
        model: A built `keras.Model`, functional or sequential.
        layers: Layers of its graph.
        call: Function of one of these layers and its symbolic input that returns the
            symbolic output.

    Returns:
        A functional `keras.Model` that shares all layers; not compiled.

    Raises:
        ValueError: If a layer is not in the graph itself, but inside of another layer.

    Examples:
        >>> layer = keras.layers.Dense(3)
        >>> model = keras.Sequential([keras.Input((3,)), layer])
        >>> with_skip = with_calls_changed(model, [layer], lambda f, x: x + f(x))
        >>> [tuple(w.shape) for w in with_skip.weights]
        [(3, 3), (3,)]
    """
    chosen = {id(layer) for layer in layers}
    missing = chosen - {id(layer) for layer in model.layers}
    if missing or not (isinstance(model, keras.Sequential) or graph_nodes(model)):
        raise ValueError(
            "`layers` must be in the graph of a functional or sequential model. "
            f"Received: model={model.name!r}, which does not hold {len(missing)} of "
            f"{len(layers)} layers directly."
        )

    def changed(layer: keras.Layer, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if id(layer) in chosen:
            return call(layer, inputs)
        return layer(inputs, *args, **kwargs)

    if not isinstance(model, keras.Sequential):
        return keras.models.clone_model(
            model, clone_function=lambda layer: layer, call_function=changed
        )
    first = model.inputs[0]
    inputs = keras.Input(batch_shape=first.shape, dtype=first.dtype)
    outputs = inputs
    for layer in model.layers:
        outputs = changed(layer, outputs)
    return keras.Model(inputs, outputs, name=model.name)


def _copied_layer(layer: keras.Layer) -> keras.Layer:
    """A new layer with the configuration of another one."""
    if type(layer) is keras.layers.Lambda:
        return _copied_lambda(layer)
    kind, config = type(layer), layer.get_config()
    try:
        return kind.from_config(config)
    except TypeError:
        known = inspect.signature(kind.__init__).parameters
        if known.keys() >= config.keys():
            raise
    # An `__init__` without `**kwargs` takes no name, dtype or `trainable`.
    copy = kind(**{key: config[key] for key in config if key in known})
    copy.trainable = layer.trainable
    return copy


def _copied_lambda(layer: keras.layers.Lambda) -> keras.layers.Lambda:
    """A `Lambda` with the same function, whose configuration is byte code."""
    return keras.layers.Lambda(
        layer.function,
        output_shape=lambda_output_shape(layer),
        mask=layer.mask,
        arguments=layer.arguments,
        name=layer.name,
        dtype=layer.dtype_policy,
    )


@contextlib.contextmanager
def _not_compiled(model: keras.Model) -> Iterator[None]:
    was_compiled, model.compiled = model.compiled, False
    try:
        yield
    finally:
        model.compiled = was_compiled
