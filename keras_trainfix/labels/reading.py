"""The one definition of a label and of "void".

`read_labels` converts any form of `y_true` to one form, on which losses, metrics and
diagnosis work. Shapes and dtypes decide which form arrived, never values, so that
compiled and eager code agree.
"""

import functools
import numbers
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels.dtypes import (
    LARGEST,
    as_tensor,
    check_exact,
    check_numbers,
    is_float,
    whole,
    wide,
)
from keras_trainfix.labels.messages import LabelError, invalid_labels_message
from keras_trainfix.labels.shapes import label_form, static_shape
from keras_trainfix.labels.types import IgnoreClass, Tensor

# How far the sum of a row of probabilities may be from 1, for example in bfloat16.
ROUNDING = 0.01


class Labels(NamedTuple):
    """The result of `read_labels`, in eager and in compiled code.

    Attributes:
        values: Either int32 labels of the pixel shape, or float32 (float64 if that
            arrived) rows with one entry per channel on the class axis. 0 where
            `valid` is False, so that one-hot encoding and gathering need no check.
        valid: Boolean tensor of the pixel shape (the shape of `y_pred` without its
            class axis): the pixels that count.
        invalid: Boolean tensor of the pixel shape: the labels that are neither a
            class nor ignored. Compiled code cannot raise; its caller must report
            `count_invalid`.
    """

    values: Tensor
    valid: Tensor
    invalid: Tensor

    @property
    def sparse(self) -> bool:
        """Whether `values` are integer labels rather than rows."""
        return len(self.values.shape) == len(self.valid.shape)


def read_labels(
    y_true: Tensor,
    shape: Sequence[int | None],
    ignore_class: IgnoreClass = 255,
    axis: int = -1,
    multi_label: bool | None = False,
    check: bool = True,
) -> Labels:
    """Reads labels of any form as integer labels or soft rows, and a valid mask.

    With `y_pred` of shape `(N, ..., C)`, `y_true` is one of

    - sparse, `(N, ...)` or `(N, ..., 1)` of any integer or float dtype;
    - one-hot or soft, `(N, ..., C)`, with its classes on the axis of `y_pred`;
    - binary if `C == 1`: `(N, ...)` or `(N, ..., 1)`. Integers are read as labels 0
      and 1, floats as rows of one probability. `y_pred` may lack its class axis only
      if it has shape `(N,)`: the last axis of `(N, H, W)` is read as the classes.

    The shape of `y_pred` distinguishes these. It is an error if it cannot, which
    happens in a graph compiled for unknown sizes.

    A sparse or binary label is void if it is an ignored id. A row is void if a
    channel holds an ignored id other than 0 and 1, if its arg-max is an ignored
    class, or if it is all zero, unless `multi_label=True` or `C == 1`. With the same
    exceptions, a row that does not sum to 1 is invalid.

    Args:
        y_true: Array or tensor of labels.
        shape: The shape of `y_pred`.
        ignore_class: Integer, tuple of integers, or None: ids of void, inside or
            outside the range of the classes. Defaults to `255`.
        axis: Integer, the class axis of `y_pred`. Defaults to `-1`.
        multi_label: Whether a pixel may have several classes or none. None means
            False where the user has no such argument.
        check: Whether to raise on labels that are neither a class nor ignored, if
            their values can be read. Defaults to `True`.

    Returns:
        `Labels`.

    Raises:
        LabelError: A ValueError, if `y_true` does not fit `shape` or holds no numbers,
            if its dtype cannot hold the classes and the ignored ids, or if `check`
            finds invalid labels.
        ValueError: If `ignore_class` holds an invalid id, or `shape` has no
            such `axis`.

    Examples:
        >>> labels = read_labels(np.array([2, 255, 0]), shape=(3, 4))
        >>> [keras.ops.convert_to_numpy(part).tolist() for part in labels]
        [[2, 0, 0], [True, False, True], [False, False, False]]
    """
    ignored = ignored_ids(ignore_class)
    raw = y_true if ops.is_tensor(y_true) else np.asarray(y_true)
    check_numbers(raw)
    y = as_tensor(raw)
    shapes = static_shape(y.shape), static_shape(shape)
    channels, is_rows, squeezed = label_form(*shapes, axis)
    num_classes = max(channels, 2)
    if squeezed is not None:
        y = ops.squeeze(y, squeezed)
    if channels == 1 and is_float(y):
        is_rows, y = True, ops.expand_dims(y, axis)
    check_exact(y, 2 if is_rows else num_classes, ignored)

    values = y if is_rows and is_float(y) else whole(y)
    if is_rows:
        void, known = _read_rows(values, ignored, channels, axis, multi_label)
        values = wide(values)
    else:
        void = _any_of(values, ignored)
        known = ops.logical_and(values >= 0, values < num_classes)
    valid = ops.logical_and(known, ops.logical_not(void))
    invalid = ops.logical_not(ops.logical_or(known, void))
    if check and backend.is_concrete(invalid) and bool(ops.any(invalid)):
        message = invalid_labels_message(
            raw, invalid, is_rows, num_classes, ignored, axis, multi_label
        )
        raise LabelError(message)
    return Labels(mask_predictions(values, valid, axis), valid, invalid)


def count_invalid(labels: Labels) -> Tensor:
    """The number of labels that are neither a class nor ignored, an int32 tensor."""
    return ops.sum(ops.cast(labels.invalid, "int32"))


def class_ids(labels: Labels, axis: int = -1) -> Tensor:
    """`labels` as int32 classes of the pixel shape; 0 where not valid."""
    if labels.sparse:
        return labels.values
    return _arg_max(labels.values, axis)


def class_rows(labels: Labels, channels: int, axis: int = -1) -> Tensor:
    """`labels` as float rows of `channels` entries on `axis`; 0 where not valid."""
    if not labels.sparse:
        return labels.values
    if channels == 1:
        return ops.expand_dims(ops.cast(labels.values, "float32"), axis)
    rows = ops.one_hot(labels.values, channels, axis=axis, dtype="float32")
    return mask_predictions(rows, labels.valid, axis)


def mask_predictions(y_pred: Tensor, valid: Tensor, axis: int = -1) -> Tensor:
    """`y_pred` with 0 at void pixels, in value and gradient, whatever was there.

    Must come before any arithmetic: 0 times NaN is NaN, and a later `where` leaves
    NaN in the gradient.

    Args:
        y_pred: Tensor of the shape of `valid`, with or without a class axis.
        valid: Boolean tensor of the pixel shape.
        axis: Integer, the class axis of `y_pred`. Defaults to `-1`.

    Returns:
        Tensor of the shape and dtype of `y_pred`.

    Examples:
        >>> valid = np.array([True, False])
        >>> masked = mask_predictions(np.array([[1.0, 2.0], [np.nan, np.inf]]), valid)
        >>> keras.ops.convert_to_numpy(masked).tolist()
        [[1.0, 2.0], [0.0, 0.0]]
    """
    if len(y_pred.shape) > len(valid.shape):
        valid = ops.expand_dims(valid, axis)
    return ops.where(valid, y_pred, 0)


def ignored_ids(ignore_class: IgnoreClass) -> tuple[int, ...]:
    """`ignore_class` as a tuple of distinct integers; empty for None.

    Raises:
        ValueError: If `ignore_class` holds anything but 32-bit integers.
    """
    if ignore_class is None:
        return ()
    ids = ignore_class if isinstance(ignore_class, (tuple, list)) else (ignore_class,)
    for index in ids:
        is_integer = isinstance(index, numbers.Integral) and not isinstance(index, bool)
        if not is_integer or abs(int(index)) >= LARGEST:
            raise ValueError(
                "`ignore_class` must be a 32-bit integer, a tuple of them, or None. "
                f"Received: ignore_class={ignore_class!r}."
            )
    return tuple(dict.fromkeys(map(int, ids)))


def _read_rows(
    rows: Tensor,
    ignored: Sequence[int],
    channels: int,
    axis: int,
    multi_label: bool | None,
) -> tuple[Tensor, Tensor]:
    """`(void, known)` for rows of `channels` entries; a pixel may be both."""
    # Minimum and maximum would not do: they may skip NaN.
    known = ops.all(ops.logical_and(rows >= 0, rows <= 1), axis=axis)
    marked = [index for index in ignored if index not in (0, 1)]
    void = ops.any(_any_of(rows, marked), axis=axis)
    has_class = known
    if channels > 1:
        is_zero = ops.all(rows == 0, axis=axis)
        if not multi_label:
            void = ops.logical_or(void, is_zero)
            excess = ops.abs(ops.sum(wide(rows), axis=axis) - 1)
            known = ops.logical_and(known, excess <= ROUNDING)
        has_class = ops.logical_and(known, ops.logical_not(is_zero))
    in_range = [index for index in ignored if index in range(max(channels, 2))]
    if in_range:
        is_ignored = _any_of(_arg_max(rows, axis), in_range)
        void = ops.logical_or(void, ops.logical_and(has_class, is_ignored))
    return void, known


def _arg_max(rows: Tensor, axis: int) -> Tensor:
    """The int32 class of each row; with a single channel, 1 above one half."""
    if rows.shape[axis] == 1:
        return ops.cast(ops.squeeze(rows > 0.5, axis), "int32")
    return ops.cast(ops.argmax(rows, axis=axis), "int32")


def _any_of(values: Tensor, ids: Sequence[int]) -> Tensor:
    if not ids:
        return ops.zeros_like(values, dtype="bool")
    return functools.reduce(ops.logical_or, [values == index for index in ids])
