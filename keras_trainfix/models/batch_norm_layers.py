"""Finding the batch normalization layers of a model, however deep they sit."""

import warnings

import keras
from keras.layers import BatchNormalization

from keras_trainfix.keras_internals import child_layers
from keras_trainfix.layers.frozen_batch_norm import FrozenBatchNorm
from keras_trainfix.messages import listed


def all_layers(model):
    """`model` and every layer in it, each once: nested, wrapped, listed or shared."""
    found = {id(model): model}

    def visit(parent):
        # `Model.layers` does not look into wrappers, cells and custom layers.
        for layer in child_layers(parent):
            if id(layer) not in found:
                found[id(layer)] = layer
                visit(layer)

    visit(model)
    return list(found.values())


def batch_norm_layers(model, layers=None):
    """The batch normalization layers of `model`, frozen or not, each once.

    Args:
        model: A built `keras.Model` or layer.
        layers: None for all; or one or several names, paths or layers. A layer
            that contains batch normalization layers stands for all of these.

    Returns:
        List of instances of `keras.layers.BatchNormalization`, which includes
        `FrozenBatchNorm` and any other subclass.

    Raises:
        TypeError: If `model` is not a Keras model or layer.
        ValueError: If `model` or a chosen layer is not built, or if an entry of
            `layers` is not in the model, is ambiguous, or has no batch
            normalization.
    """
    if not isinstance(model, keras.Layer):
        raise TypeError(
            "`model` must be a Keras 3 model or layer. "
            f"Received: model={model!r} of type {type(model)}."
        )
    inside = all_layers(model)
    if layers is None:
        chosen = inside
    else:
        entries = [layers] if isinstance(layers, (str, keras.Layer)) else list(layers)
        if not entries:
            raise ValueError(
                "`layers` must name at least one layer, or be None for all. "
                f"Received: layers={layers!r}."
            )
        chosen = [layer for entry in entries for layer in _resolve(entry, inside)]
    found = [layer for layer in chosen if isinstance(layer, BatchNormalization)]
    found = list({id(layer): layer for layer in found}.values())
    _require_built(model, found)
    return found


def plain_only(layers, stacklevel):
    """Those of `layers` that are exactly Keras' class or ours; warns of the others."""
    plain = [
        layer
        for layer in layers
        if type(layer) in (BatchNormalization, FrozenBatchNorm)
    ]
    if len(plain) < len(layers):
        others = [layer for layer in layers if layer not in plain]
        kinds = sorted({type(layer).__name__ for layer in others})
        warnings.warn(
            f"Left out: {listed(layer.name for layer in others)} of type "
            f"{', '.join(kinds)}. Only keras.layers.BatchNormalization and "
            "keras_trainfix.FrozenBatchNorm themselves are handled, since a subclass "
            "may compute something else.",
            stacklevel=stacklevel,
        )
    return plain


def _resolve(entry, inside):
    """The batch normalization layers that one entry of `layers` stands for."""
    if isinstance(entry, str):
        matches = [layer for layer in inside if entry in (layer.name, layer.path)]
    else:
        matches = [layer for layer in inside if layer is entry]
    if not matches:
        raise ValueError(
            "Every entry of `layers` must be a layer of the model, or its name or "
            f"path. Received: {entry!r}. Batch normalization layers of this model: "
            f"{listed(_names(inside)) or 'none'}."
        )
    if len(matches) > 1:
        raise ValueError(
            f"`layers` names a layer that occurs {len(matches)} times. Received: "
            f"{entry!r}. Give its path or the layer itself: "
            f"{listed(layer.path for layer in matches)}."
        )
    normalizing = [
        layer
        for layer in all_layers(matches[0])
        if isinstance(layer, BatchNormalization)
    ]
    if not normalizing:
        raise ValueError(
            "Every entry of `layers` must be, or contain, a batch normalization "
            f"layer. Received: {entry!r} of type {type(matches[0]).__name__}. Batch "
            f"normalization layers of this model: {listed(_names(inside)) or 'none'}."
        )
    return normalizing


def _names(layers):
    return [layer.name for layer in layers if isinstance(layer, BatchNormalization)]


def _require_built(model, layers):
    unbuilt = [layer.name for layer in layers if not layer.built]
    if unbuilt or not model.built:
        what = f"layers {listed(unbuilt)} are not" if unbuilt else "it is not"
        raise ValueError(
            "The model must be built, so that there are statistics to keep, and "
            f"{what}. Received: model={model.name!r}. Call the model on a batch (or "
            "`model.build(input_shape)`), and load its weights, first."
        )
