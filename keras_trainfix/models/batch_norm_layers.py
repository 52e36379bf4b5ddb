"""Finds the batch normalization layers of a model, at any depth."""

import warnings
from collections.abc import Iterable
from typing import TypeAlias

import keras
from keras.layers import BatchNormalization

from keras_trainfix.keras_internals import child_layers
from keras_trainfix.layers.frozen_batch_norm import FrozenBatchNorm
from keras_trainfix.messages import listed

# None, or one or several names, paths or layers.
LayerChoice: TypeAlias = str | keras.Layer | Iterable[str | keras.Layer] | None


def all_layers(model: keras.Layer) -> list[keras.Layer]:
    """`model` and every layer in it, each once: nested, wrapped, listed or shared."""
    found = {id(model): model}

    def visit(parent: keras.Layer) -> None:
        for layer in child_layers(parent):
            if id(layer) not in found:
                found[id(layer)] = layer
                visit(layer)

    visit(model)
    return list(found.values())


def batch_norm_layers(
    model: keras.Layer, layers: LayerChoice = None
) -> list[keras.Layer]:
    """The batch normalization layers of `model`, frozen or not, each once.

    Args:
        model: A built `keras.Model` or layer.
        layers: None for all; or one or several names, paths or layers. A layer
            that contains batch normalization layers stands for all of them. Defaults
            to `None`.

    Returns:
        List of instances of `keras.layers.BatchNormalization`, including
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


def plain_only(layers: list[keras.Layer], stacklevel: int) -> list[keras.Layer]:
    """The layers that are no subclass of Keras' class or ours; warns of the others."""
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
            "keras_trainfix.FrozenBatchNorm themselves are handled, because a "
            "subclass may compute something else.",
            stacklevel=stacklevel,
        )
    return plain


def _resolve(entry: str | keras.Layer, inside: list[keras.Layer]) -> list[keras.Layer]:
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


def _names(layers: list[keras.Layer]) -> list[str]:
    return [layer.name for layer in layers if isinstance(layer, BatchNormalization)]


def _require_built(model: keras.Layer, layers: list[keras.Layer]) -> None:
    unbuilt = [layer.name for layer in layers if not layer.built]
    if unbuilt or not model.built:
        which = f" with the unbuilt layers {listed(unbuilt)}" if unbuilt else ""
        raise ValueError(
            "The model must be built, because an unbuilt one has no statistics. "
            f"Received: model={model.name!r}{which}. First call the model on a batch "
            "(or `model.build(input_shape)`), and load its weights."
        )
