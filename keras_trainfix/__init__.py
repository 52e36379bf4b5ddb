"""Fixes for Keras models that do not learn, and the name of what is wrong."""

import importlib
from typing import TYPE_CHECKING

from keras_trainfix import backend as backend  # first: it checks that Keras is usable
from keras_trainfix.layers.frozen_batch_norm import FrozenBatchNorm
from keras_trainfix.losses.class_weights import class_weights_from_labels
from keras_trainfix.losses.masked_boundary import MaskedBoundary, masked_boundary
from keras_trainfix.losses.masked_cl_dice import MaskedClDice, masked_cl_dice
from keras_trainfix.losses.masked_crossentropy import (
    MaskedCrossentropy,
    masked_crossentropy,
)
from keras_trainfix.losses.masked_hausdorff import MaskedHausdorff, masked_hausdorff
from keras_trainfix.losses.masked_lovasz import MaskedLovasz, masked_lovasz
from keras_trainfix.losses.masked_soft_dice import MaskedSoftDice, masked_soft_dice
from keras_trainfix.losses.masked_tversky import MaskedTversky, masked_tversky
from keras_trainfix.losses.signed_distance import signed_distance
from keras_trainfix.losses.weighted_sum import WeightedSum
from keras_trainfix.metrics.boundary_iou import BoundaryIoU, boundary_iou
from keras_trainfix.metrics.class_scores import (
    accuracy_from_confusion,
    dice_from_confusion,
    iou_from_confusion,
)
from keras_trainfix.metrics.confusion import confusion_matrix
from keras_trainfix.metrics.confusion_matrix import ConfusionMatrix
from keras_trainfix.metrics.confusion_plot import save_confusion_plot
from keras_trainfix.metrics.dice_score import DiceScore
from keras_trainfix.metrics.masked_mean import MaskedMean
from keras_trainfix.metrics.mean_iou import MeanIoU
from keras_trainfix.metrics.pixel_accuracy import PixelAccuracy
from keras_trainfix.metrics.spread import (
    PredictionSpread,
    TargetSpread,
    prediction_spread,
)
from keras_trainfix.metrics.surface_distances import SurfaceDistances
from keras_trainfix.metrics.surfaces import surface_distances
from keras_trainfix.metrics.tables import class_table, confusion_table
from keras_trainfix.models.freeze import freeze_batch_norm, unfreeze_batch_norm
from keras_trainfix.models.gap import batch_norm_gap
from keras_trainfix.models.recalibrate import recalibrate_batch_norm

if TYPE_CHECKING:
    from keras_trainfix.callbacks.collapse.detector import CollapseDetector
    from keras_trainfix.callbacks.snapshots.prediction_snapshots import (
        PredictionSnapshots,
    )
    from keras_trainfix.callbacks.weight_schedule import WeightSchedule
    from keras_trainfix.diagnosis.diagnose import diagnose
    from keras_trainfix.diagnosis.findings import Diagnosis, Finding
    from keras_trainfix.diagnosis.learning_rate_range_test import (
        learning_rate_range_test,
    )

__version__ = "0.1.0"

__all__ = [
    "BoundaryIoU",
    "CollapseDetector",
    "ConfusionMatrix",
    "Diagnosis",
    "DiceScore",
    "Finding",
    "FrozenBatchNorm",
    "MaskedBoundary",
    "MaskedClDice",
    "MaskedCrossentropy",
    "MaskedHausdorff",
    "MaskedLovasz",
    "MaskedMean",
    "MaskedSoftDice",
    "MaskedTversky",
    "MeanIoU",
    "PixelAccuracy",
    "PredictionSnapshots",
    "PredictionSpread",
    "SurfaceDistances",
    "TargetSpread",
    "WeightSchedule",
    "WeightedSum",
    "accuracy_from_confusion",
    "batch_norm_gap",
    "boundary_iou",
    "class_table",
    "class_weights_from_labels",
    "confusion_matrix",
    "confusion_table",
    "diagnose",
    "dice_from_confusion",
    "freeze_batch_norm",
    "iou_from_confusion",
    "learning_rate_range_test",
    "masked_boundary",
    "masked_cl_dice",
    "masked_crossentropy",
    "masked_hausdorff",
    "masked_lovasz",
    "masked_soft_dice",
    "masked_tversky",
    "prediction_spread",
    "recalibrate_batch_norm",
    "save_confusion_plot",
    "signed_distance",
    "surface_distances",
    "unfreeze_batch_norm",
]

# What takes longer to import is imported when it is asked for.
_LATER = {
    "CollapseDetector": "callbacks.collapse.detector",
    "Diagnosis": "diagnosis.findings",
    "Finding": "diagnosis.findings",
    "PredictionSnapshots": "callbacks.snapshots.prediction_snapshots",
    "WeightSchedule": "callbacks.weight_schedule",
    "diagnose": "diagnosis.diagnose",
    "learning_rate_range_test": "diagnosis.learning_rate_range_test",
}


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__():
    return __all__
