"""The definition of a label: one reader of `y_true` for losses, metrics, diagnosis."""

from keras_trainfix.labels.messages import LabelError
from keras_trainfix.labels.reading import (
    ROUNDING,
    Labels,
    class_ids,
    class_rows,
    count_invalid,
    ignored_ids,
    mask_predictions,
    read_labels,
)

__all__ = [
    "ROUNDING",
    "LabelError",
    "Labels",
    "class_ids",
    "class_rows",
    "count_invalid",
    "ignored_ids",
    "mask_predictions",
    "read_labels",
]
