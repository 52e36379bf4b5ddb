"""The masks of the classes in labels and predictions, as NumPy arrays."""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_trainfix.backend import to_numpy
from keras_trainfix.labels import class_rows
from keras_trainfix.labels.dtypes import as_tensor
from keras_trainfix.labels.types import Tensor
from keras_trainfix.labels.weights import pixel_weights
from keras_trainfix.metrics.confusion import count, read_batch
from keras_trainfix.metrics.entries import decided
from keras_trainfix.metrics.reading import labels_of, read_pixels
from keras_trainfix.metrics.setting import Setting


class Masks(NamedTuple):
    """Boolean arrays of a batch.

    Attributes:
        labeled: `(C, N, ...)`: the pixels labeled with each class.
        predicted: `(C, N, ...)`: those predicted as it.
        valid: `(N, ...)`.
    """

    labeled: np.ndarray
    predicted: np.ndarray
    valid: np.ndarray


def read_masks(
    y_true: Tensor, y_pred: Tensor, sample_weight: Tensor, setting: Setting
) -> Masks:
    """The `Masks` of one batch, in eager code.

    Args:
        y_true: Labels, see `confusion_matrix`.
        y_pred: Predictions.
        sample_weight: Weights that broadcast from the left, or None. Pixels of weight
            0 are void.
        setting: `Setting`.

    Raises:
        ValueError: As `confusion_matrix`.
    """
    y_pred = _with_scores(y_pred, setting)
    count(y_true, y_pred, sample_weight, setting, refuse_nan=True)  # raises
    (y_true, y_pred, sample_weight, mask), form = read_batch(
        y_true, y_pred, sample_weight, setting
    )
    y_true, y_pred = as_tensor(y_true), as_tensor(y_pred)
    if setting.multi_label:
        read = labels_of(y_true, y_pred, form, setting, check=False)
        rows = class_rows(read, setting.num_classes, form.axis) > 0.5
        bits = decided(y_pred, setting)[0]
        labeled, predicted = (
            np.moveaxis(to_numpy(x), form.axis, 0) for x in (rows, bits)
        )
        valid = read.valid
    else:
        target, ids, valid, _ = read_pixels(y_true, y_pred, form, setting)
        classes = range(setting.num_classes)
        labeled, predicted = (
            np.stack([maps == index for index in classes])
            for maps in map(to_numpy, (target, ids))
        )
    for weights in (mask, sample_weight):
        if weights is not None:
            valid = ops.logical_and(valid, pixel_weights(weights, valid) != 0)
    valid = to_numpy(valid)
    return Masks(labeled & valid, predicted & valid, valid)


def _with_scores(y_pred: Tensor, setting: Setting) -> Tensor:
    """`y_pred`, or its one-hot rows of integers as scores.

    Compiled code cannot tell them from the class ids of a volume: `count` refuses them.
    """
    array = y_pred if ops.is_tensor(y_pred) else np.asarray(y_pred)
    rank, axis = len(array.shape), setting.axis
    is_whole = "float" not in keras.backend.standardize_dtype(array.dtype)
    if setting.multi_label or not is_whole or rank < 4 or not -rank <= axis < rank:
        return y_pred
    rows = to_numpy(as_tensor(array))
    if rows.shape[axis] != setting.num_classes:
        return y_pred
    is_one_hot = np.isin(rows, (0, 1)).all() and (rows.sum(axis) == 1).all()
    return rows.astype("float32") if is_one_hot else y_pred
