"""Labels and predictions of one batch, as the metrics that count read them."""

import numbers
from typing import NamedTuple

import numpy as np
from keras import ops

from keras_trainfix.labels import class_ids, ignored_ids, read_labels
from keras_trainfix.labels.dtypes import is_float, whole
from keras_trainfix.labels.messages import shown
from keras_trainfix.labels.shapes import label_form, static_shape
from keras_trainfix.metrics.predictions import predicted_classes

MOST_ROWS = 2**12  # of a table, for ids of void far from the classes


class Setting(NamedTuple):
    """How labels and predictions are read: all that does not depend on a batch."""

    num_classes: int
    ignored: tuple
    axis: int
    threshold: float
    from_logits: bool


def checked_setting(num_classes, ignore_class, axis, threshold, from_logits):
    """`Setting`, or the error about an argument that is out of range."""
    is_integer = isinstance(num_classes, numbers.Integral)
    if not is_integer or num_classes < 2:  # so not a bool either
        raise ValueError(
            "`num_classes` must be an integer, 2 or more. Received: "
            f"num_classes={num_classes!r}. One sigmoid unit has two classes, 0 and 1."
        )
    ignored = ignored_ids(ignore_class)
    if all(index in ignored for index in range(num_classes)):
        raise ValueError(
            "`ignore_class` must leave at least one class. Received: "
            f"ignore_class={shown(ignored)}, num_classes={num_classes}. Name the ids "
            "of void alone."
        )
    is_number = isinstance(threshold, numbers.Real)
    if not is_number or not 0 < threshold < 1:
        raise ValueError(
            "`threshold` must be a probability between 0 and 1, also with "
            f"from_logits=True. Received: threshold={threshold!r}."
        )
    if not isinstance(axis, numbers.Integral):
        raise ValueError(f"`axis` must be an integer. Received: axis={axis!r}.")
    return Setting(
        int(num_classes), ignored, int(axis), float(threshold), bool(from_logits)
    )


def as_array(values):
    """A tensor without its gradient, or a NumPy array of anything else."""
    return ops.stop_gradient(values) if ops.is_tensor(values) else np.asarray(values)


def read_pixels(y_true, y_pred, form, setting):
    """The class of each pixel in the labels and in the predictions.

    Args:
        y_true: Tensor of labels.
        y_pred: Tensor of predictions.
        form: `Form` of the predictions.
        setting: `Setting`.

    Returns:
        `(ids, found, valid, invalid)`, tensors of the pixel shape: integer labels, 0
        where not valid; integer predictions, `num_classes` where one is none; and of
        `Labels` which count, and which are neither a class nor ignored.
    """
    labels = labels_of(y_true, y_pred, form, setting, check=False)
    found = predicted_classes(y_pred, form, setting)
    return class_ids(labels, form.axis), found, labels.valid, labels.invalid


def label_rows(y_true, y_pred, form, setting):
    """The row of each label in a table, and what the rows are of.

    Args:
        y_true: Tensor of labels.
        y_pred: Tensor of predictions.
        form: `Form` of the predictions.
        setting: `Setting`.

    Returns:
        `(rows, place)`: an integer tensor of as many entries as there are pixels; and
        for each row the class it is of, or `num_classes` for void, or one more for what
        is no label, a NumPy vector.
    """
    size, ignored = setting.num_classes, setting.ignored
    low, high = min(0, *ignored, 0) - 1, max(size - 1, *ignored, 0) + 1
    shape = label_shape(y_true, y_pred, form, setting)
    _, is_soft, _ = label_form(static_shape(y_true.shape), shape, form.axis)
    if is_soft or is_float(y_true) or high - low > MOST_ROWS:
        ids, _, valid, invalid = read_pixels(y_true, y_pred, form, setting)
        rows = ops.where(valid, ids, ops.where(invalid, size + 1, size))
        return rows, np.arange(size + 2)
    # A row for each integer there may be takes one pass over the labels, not ten.
    place = np.full(high - low + 1, size + 1)
    place[-low : size - low] = np.arange(size)
    place[[index - low for index in ignored]] = size
    return ops.clip(whole(y_true), low, high) - low, place


def labels_of(y_true, y_pred, form, setting, check):
    """`read_labels` for the labels of these predictions."""
    shape = label_shape(y_true, y_pred, form, setting)
    return read_labels(
        y_true, shape, setting.ignored, form.axis, multi_label=None, check=check
    )


def label_shape(y_true, y_pred, form, setting):
    """The shape of predictions by which to read these labels."""
    shape = form.scores_shape(static_shape(y_pred.shape), setting.num_classes)
    is_rows = (
        len(y_true.shape) == len(shape)
        and y_true.shape[form.axis] == setting.num_classes
    )
    if form.kind == "binary" and not is_rows:  # floats are probabilities of class 1
        return (*shape[: form.axis], 1, *shape[form.axis + 1 :])
    return shape
