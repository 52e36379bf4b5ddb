"""Freezing the batch normalization statistics of a whole model, and back."""

import warnings

import numpy as np
from keras.layers import BatchNormalization

from keras_trainfix.backend import to_numpy
from keras_trainfix.layers.frozen_batch_norm import FrozenBatchNorm
from keras_trainfix.messages import count, tell
from keras_trainfix.models.batch_norm_layers import (
    batch_norm_layers,
    plain_only,
)
from keras_trainfix.models.compiled import forget_compiled_functions


def freeze_batch_norm(model, layers=None):
    """Freezes the statistics of the batch normalization layers of `model`, in place.

    Each `keras.layers.BatchNormalization` becomes a `keras_trainfix.FrozenBatchNorm`:
    it normalizes with its moving statistics in training too, and never updates
    them. `gamma` and `beta` stay as trainable as they were. Layers are found
    wherever they are: nested models, wrappers, custom layers, layers used twice.

    Names, weights, optimizer state and the inference output (bit for bit) stay.
    A compiled model, trained before or not, honours the change without another
    `compile()`, and so does every other model that shares the layers.

    Do this after the pretrained weights are loaded and before fine-tuning. Training
    steps of your own that are wrapped in `tf.function` or `jax.jit` must be traced
    again: create them after this call. A `.keras` file of the frozen model is loaded
    after `import keras_trainfix`; call `unfreeze_batch_norm` before saving one that
    has to load without: its inference is the same.

    Args:
        model: A built `keras.Model`, or any built layer.
        layers: Which layers: None for all, or one or several names, paths or
            layers. A layer that contains batch normalization layers, such as a
            backbone, stands for all of these. Defaults to `None`.

    Returns:
        `model`, the same object. How many layers were changed is printed.

    Raises:
        ValueError: If the model is not built, or if `layers` names a layer that is
            not in the model or has no batch normalization.

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
        message += f", {already} frozen before"
    untrained = sum(map(_has_initial_statistics, changed))
    if untrained:
        message += (
            f". {untrained} of them still {'has' if untrained == 1 else 'have'} mean "
            "0 and variance 1 and would normalize nothing: load the pretrained "
            "weights, or call recalibrate_batch_norm before freezing"
        )
    not_trainable = sum(not layer.trainable for layer in found)
    if not_trainable:
        message += (
            f". {not_trainable} of {len(found)} have trainable=False, so their gamma "
            "and beta do not train either"
        )
    tell(message + ".")
    return model


def unfreeze_batch_norm(model, layers=None):
    """Turns frozen batch normalization back into the ordinary one, in place.

    The inverse of `keras_trainfix.freeze_batch_norm`: each `FrozenBatchNorm` becomes
    a `keras.layers.BatchNormalization` with the same name, weights and settings,
    whose statistics move again from where they stand.

    Args:
        model: A built `keras.Model`, or any built layer.
        layers: As for `keras_trainfix.freeze_batch_norm`. Defaults to `None`.

    Returns:
        `model`, the same object. How many layers were changed is printed.

    Raises:
        ValueError: If the model is not built, or if `layers` names a layer that is
            not in the model or has no batch normalization.

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


def _exchange(model, layers, old, new):
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
        # The class holds no state of its own, so exchanging it keeps variables,
        # names, connections and the optimizer's slots where they are.
        layer.__class__ = new
    if changed:
        forget_compiled_functions(changed)
    return found, changed


def _has_initial_statistics(layer):
    mean = to_numpy(layer.moving_mean)
    variance = to_numpy(layer.moving_variance)
    return bool(np.all(mean == 0) and np.all(variance == 1))
