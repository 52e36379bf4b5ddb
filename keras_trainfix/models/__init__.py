"""Measures and changes the batch normalization of a whole model."""

from keras_trainfix.models.freeze import freeze_batch_norm as freeze_batch_norm
from keras_trainfix.models.freeze import unfreeze_batch_norm as unfreeze_batch_norm
from keras_trainfix.models.gap import batch_norm_gap as batch_norm_gap
from keras_trainfix.models.recalibrate import (
    recalibrate_batch_norm as recalibrate_batch_norm,
)
