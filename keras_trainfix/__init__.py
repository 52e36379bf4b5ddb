"""Fixes for Keras models that do not learn, and the name of what is wrong."""

from keras_trainfix import backend as backend  # first: it checks that Keras is usable
from keras_trainfix.layers.frozen_batch_norm import FrozenBatchNorm
from keras_trainfix.models.freeze import freeze_batch_norm, unfreeze_batch_norm
from keras_trainfix.models.gap import batch_norm_gap
from keras_trainfix.models.recalibrate import recalibrate_batch_norm

__version__ = "0.1.0"

__all__ = [
    "FrozenBatchNorm",
    "batch_norm_gap",
    "freeze_batch_norm",
    "recalibrate_batch_norm",
    "unfreeze_batch_norm",
]
