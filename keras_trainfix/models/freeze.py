"""Freezes and unfreezes the batch normalization statistics of a whole model."""

import warnings

import keras
import numpy as np
from keras.layers import BatchNormalization

from keras_trainfix.backend import to_numpy
from keras_trainfix.layers.frozen_batch_norm import FrozenBatchNorm
from keras_trainfix.messages import count, tell
from keras_trainfix.models.batch_norm_layers import (
    LayerChoice,
    batch_norm_layers,
    plain_only,
)
from keras_trainfix.models.compiled import forget_compiled_functions


def freeze_batch_norm(model: keras.Layer, layers: LayerChoice = None) -> keras.Layer:
    """Freezes the statistics of the batch normalization layers of `model`, in place.

    Each `keras.layers.BatchNormalization` becomes a `keras_trainfix.FrozenBatchNorm`:
    it normalizes with its moving statistics in training too, and never updates
    them. `gamma` and `beta` stay as trainable as they were. Layers are found
    wherever they are: in nested models, wrappers and custom layers.

    Names, weights, optimizer state and the inference output (bit for bit) stay.
    A compiled model, already trained or not, follows the change without another
    `compile()`, and so does every other model that shares the layers.

    Call this after loading the pretrained weights and before fine-tuning. Create your
    own training steps in `tf.function` or `jax.jit` after this call, because they keep
    what they traced. Loading a `.keras` file of the frozen model requires `import
    keras_trainfix`; to save a file that loads without it, call `unfreeze_batch_norm`
    first: inference is the same.

    Args:
        model: A built `keras.Model`, or any built layer.
        layers: None for all, or one or several names, paths or layers. A layer that
            contains batch normalization layers, such as a backbone, stands for all of
            them. Defaults to `None`.

    Returns:
        `model`, the same object. The number of changed layers is printed.

    Raises:
        TypeError: If `model` is not a Keras model or layer.
        ValueError: If the model is not built, or if `layers` names a layer that is
            not in the model, is ambiguous, or has no batch normalization.

    Examples:
        >>> import keras
        >>> model = keras.Sequential(
        ...     [keras.Input((4,)), keras.layers.BatchNormalization(name="bn")]
        ... )
        >>> model = freeze_batch_norm(model)  # doctest: +ELLIPSIS
        freeze_batch_norm: 1 layer changed...
        >>> type(model.get_layer("bn")).__name__
        'FrozenBatchNorm'
    """
    found, changed = _exchange(model, layers, BatchNormalization, FrozenBatchNorm)
    if not found:
        return model
    message = f"freeze_batch_norm: {count(len(changed), 'layer')} changed"
    already = sum(type(layer) is FrozenBatchNorm for layer in found) - len(changed)
    if already:
        message += f", {already} already frozen"
    untrained = sum(map(_has_initial_statistics, changed))
    if untrained:
        message += (
            f". {untrained} of them still {'has' if untrained == 1 else 'have'} mean "
            "0 and variance 1 and will not normalize: load the pretrained weights, or "
            "call recalibrate_batch_norm, before freezing"
        )
    not_trainable = sum(not layer.trainable for layer in found)
    if not_trainable:
        message += (
            f". {not_trainable} of {len(found)} have trainable=False, so that their "
            "gamma and beta do not train either"
        )
    tell(message + ".")
    return model


def unfreeze_batch_norm(model: keras.Layer, layers: LayerChoice = None) -> keras.Layer:
    """Turns frozen batch normalization back into ordinary layers, in place.

    The inverse of `keras_trainfix.freeze_batch_norm`: each `FrozenBatchNorm` becomes
    a `keras.layers.BatchNormalization` with the same name, weights and settings.
    Training updates its statistics again, starting from their present values.

    Args:
        model: A built `keras.Model`, or any built layer.
        layers: As for `keras_trainfix.freeze_batch_norm`. Defaults to `None`.

    Returns:
        `model`, the same object. The number of changed layers is printed.

    Raises:
        TypeError: If `model` is not a Keras model or layer.
        ValueError: If the model is not built, or if `layers` names a layer that is
            not in the model, is ambiguous, or has no batch normalization.

    Examples:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((4,)), FrozenBatchNorm(name="bn")])
        >>> model = unfreeze_batch_norm(model)
        unfreeze_batch_norm: 1 layer changed.
        >>> type(model.get_layer("bn")).__name__
        'BatchNormalization'
    """
    found, changed = _exchange(model, layers, FrozenBatchNorm, BatchNormalization)
    if found:
        tell(f"unfreeze_batch_norm: {count(len(changed), 'layer')} changed.")
    return model


def _exchange(
    model: keras.Layer, layers: LayerChoice, old: type, new: type
) -> tuple[list[keras.Layer], list[keras.Layer]]:
    """Makes every `old` layer a `new` one; returns those found and those changed."""
    found = batch_norm_layers(model, layers)
    if not found:
        warnings.warn(
            f"Model '{model.name}' has no BatchNormalization layer: nothing changed. "
            "Layers of other kinds (GroupNormalization, LayerNormalization) have no "
            "statistics to freeze.",
            stacklevel=3,
        )
    changed = [layer for layer in plain_only(found, stacklevel=4) if type(layer) is old]
    for layer in changed:
        # Neither class has state of its own, so variables, names, connections and
        # the optimizer's slots stay as they are.
        layer.__class__ = new
    if changed:
        forget_compiled_functions(changed)
    return found, changed


def _has_initial_statistics(layer: keras.Layer) -> bool:
    mean = to_numpy(layer.moving_mean)
    variance = to_numpy(layer.moving_variance)
    return bool(np.all(mean == 0) and np.all(variance == 1))
