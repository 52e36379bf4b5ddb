"""Reads the labels and predictions of one batch for the metrics that count."""

import numpy as np
from keras import ops

from keras_trainfix.labels import Labels, class_ids, read_labels
from keras_trainfix.labels.dtypes import is_float, whole
from keras_trainfix.labels.shapes import label_form, static_shape
from keras_trainfix.labels.types import Tensor
from keras_trainfix.metrics.predictions import Form, Shape, predicted_classes
from keras_trainfix.metrics.setting import Setting

MOST_ROWS = 2**12  # rows of a table; ids of void may be far from the classes


def as_array(values: Tensor) -> Tensor:
    """A tensor without its gradient, or a NumPy array of anything else."""
    return ops.stop_gradient(values) if ops.is_tensor(values) else np.asarray(values)


def read_pixels(
    y_true: Tensor, y_pred: Tensor, form: Form, setting: Setting
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The class of each pixel in the labels and in the predictions.

    Args:
        y_true: Tensor of labels.
        y_pred: Tensor of predictions.
        form: `Form` of the predictions.
        setting: `Setting`.

    Returns:
        `(target, predicted, valid, invalid)`, tensors of the pixel shape: integer
        labels, 0 where not valid; integer predictions, `num_classes` where invalid;
        and the masks of `Labels`.
    """
    labels = labels_of(y_true, y_pred, form, setting, check=False)
    predicted = predicted_classes(y_pred, form, setting)
    return class_ids(labels, form.axis), predicted, labels.valid, labels.invalid


def label_rows(
    y_true: Tensor, y_pred: Tensor, form: Form, setting: Setting
) -> tuple[Tensor, np.ndarray]:
    """The row of each label in a table, and the class of each row.

    Args:
        y_true: Tensor of labels.
        y_pred: Tensor of predictions.
        form: `Form` of the predictions.
        setting: `Setting`.

    Returns:
        `(rows, classes)`: an integer tensor with one entry per pixel; and a NumPy
        vector with the class of each row, `num_classes` for void, or
        `num_classes + 1` for invalid labels.
    """
    size, ignored = setting.num_classes, setting.ignored
    low, high = min(0, *ignored, 0) - 1, max(size - 1, *ignored, 0) + 1
    shape = label_shape(y_true, y_pred, form, setting)
    _, is_soft, _ = label_form(static_shape(y_true.shape), shape, form.axis)
    if is_soft or is_float(y_true) or high - low > MOST_ROWS:
        target, _, valid, invalid = read_pixels(y_true, y_pred, form, setting)
        rows = ops.where(valid, target, ops.where(invalid, size + 1, size))
        return rows, np.arange(size + 2)
    # One row per possible integer takes one pass over the labels instead of ten.
    classes = np.full(high - low + 1, size + 1)
    classes[-low : size - low] = np.arange(size)
    classes[[index - low for index in ignored]] = size
    return ops.clip(whole(y_true), low, high) - low, classes


def labels_of(
    y_true: Tensor, y_pred: Tensor, form: Form, setting: Setting, check: bool
) -> Labels:
    """`read_labels` for the labels of these predictions."""
    shape = label_shape(y_true, y_pred, form, setting)
    return read_labels(
        y_true, shape, setting.ignored, form.axis, setting.multi_label, check
    )


def label_shape(y_true: Tensor, y_pred: Tensor, form: Form, setting: Setting) -> Shape:
    """The shape of `y_pred` to pass to `read_labels` for these labels."""
    shape = form.scores_shape(static_shape(y_pred.shape), setting.num_classes)
    is_rows = (
        len(y_true.shape) == len(shape)
        and y_true.shape[form.axis] == setting.num_classes
    )
    if form.kind == "binary" and not is_rows:  # floats are probabilities of class 1
        return (*shape[: form.axis], 1, *shape[form.axis + 1 :])
    return shape
