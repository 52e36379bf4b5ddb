"""Infers the form of predictions from shape and dtype, and the class of each pixel."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import keras
from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels.dtypes import wide
from keras_trainfix.labels.shapes import shapes_fit, static_shape
from keras_trainfix.labels.types import Tensor
from keras_trainfix.metrics.setting import Setting

Shape: TypeAlias = tuple[Any, ...]  # of integers, or None in a compiled graph

TOLERANCE = 1e-3  # how far rounding may take a probability out of [0, 1]


class Form(NamedTuple):
    """The form of some predictions.

    Attributes:
        kind: `"scores"` with a class axis, `"entries"` (one sigmoid for each class),
            `"binary"` (one sigmoid unit) or `"ids"`.
        axis: Integer, 1 or more: the class axis of scores and of one-hot labels.
        squeeze: The superfluous axis of size 1 of binary predictions or ids, or None.
    """

    kind: str
    axis: int
    squeeze: int | None = None

    def pixels(self, shape: Shape) -> Shape:
        """The pixel shape of predictions of this form."""
        has_classes = self.kind in ("scores", "entries")
        removed = self.axis if has_classes else self.squeeze
        if removed is None:
            return tuple(shape)
        return (*shape[:removed], *shape[removed + 1 :])

    def scores_shape(self, shape: Shape, num_classes: int) -> Shape:
        """The shape that scores of the same pixels would have, for `read_labels`."""
        pixels = self.pixels(shape)
        return (*pixels[: self.axis], num_classes, *pixels[self.axis :])


def prediction_form(
    y_true: Tensor, y_pred: Tensor, num_classes: int, axis: int
) -> Form:
    """Infers the form of `y_pred`.

    Integers and booleans are class ids, `(N, ...)` or `(N, ..., 1)`, or one-hot,
    `(N, ..., C)`. Floats are scores `(N, ..., C)`; or, with two classes, the output of
    one sigmoid unit, `(N, ..., 1)` or `(N, ...)`. Only shapes and dtypes decide, so
    that compiled and eager code agree. If they are ambiguous it is an error.

    Args:
        y_true: Tensor of labels.
        y_pred: Tensor of predictions.
        num_classes: Integer `C`.
        axis: Integer, the class axis of `y_pred`.

    Returns:
        `Form`.

    Raises:
        ValueError: If `y_pred` has none of these forms, or could have two.
    """
    labels, shape = static_shape(y_true.shape), static_shape(y_pred.shape)
    dtype = keras.backend.standardize_dtype(y_pred.dtype)
    is_float = "float" in dtype
    received = (
        f"Received: y_pred.shape={shape}, y_pred.dtype={dtype}, "
        f"y_true.shape={labels}, num_classes={num_classes}, axis={axis}."
    )
    size = shape[axis] if -len(shape) <= axis < len(shape) else 0
    if is_float and size is None:
        raise ValueError(
            "The size of the class axis of `y_pred` must be known when the graph is "
            f"compiled. {received} Use `keras.ops.reshape`, or `set_shape` in a "
            "tf.data pipeline."
        )
    kinds = [
        form
        for form in _candidates(shape, size, is_float, num_classes, axis)
        if _labels_fit(labels, form, shape, num_classes)
    ]
    if not kinds:
        raise ValueError(
            f"`y_pred` must be scores with {num_classes} entries on axis {axis}, or "
            "integer class ids, one per pixel"
            + (", or the output of one sigmoid unit" if num_classes == 2 else "")
            + f", and `y_true` the labels of the same pixels. {received} "
            + _way_out(labels, shape, size, num_classes, is_float)
        )
    scores, *others = kinds
    if is_float or not others:
        return scores
    # Integers where the last axis has as many entries as there are classes.
    if not backend.is_concrete(y_pred) or _is_one_hot(y_pred, axis):
        raise ValueError(
            "`y_pred` must be either class ids, one per pixel, or one-hot rows, and "
            f"could be both. {received} For ids pass `y_pred[..., None]`, for rows "
            f"`keras.ops.argmax(y_pred, {axis})`."
        )
    return others[0]


def entries_form(y_pred: Tensor, num_classes: int, axis: int) -> Form:
    """The form of predictions that decide about each class by itself.

    Args:
        y_pred: Tensor of scores of any dtype; integers and booleans are 0 or 1.
        num_classes: Integer `C`.
        axis: Integer, the class axis of `y_pred`.

    Returns:
        `Form`.

    Raises:
        ValueError: If `y_pred` has not `num_classes` entries on `axis`.
    """
    shape = static_shape(y_pred.shape)
    rank = len(shape)
    if -rank <= axis < rank and axis % rank > 0 and shape[axis] == num_classes:
        return Form("entries", axis % rank)
    raise ValueError(
        f"`y_pred` must have one entry for each of {num_classes} classes on axis "
        f"{axis} with multi_label=True. Received: y_pred.shape={shape}, "
        f"num_classes={num_classes}, axis={axis}. Turn class ids into rows with "
        "`keras.ops.one_hot`; if each pixel has one class, pass multi_label=False."
    )


def predicted_classes(y_pred: Tensor, form: Form, setting: Setting) -> Tensor:
    """The integer class of each pixel; `num_classes` if the prediction is invalid.

    Args:
        y_pred: Tensor of predictions.
        form: Its `Form`.
        setting: `Setting`.

    Returns:
        Integer tensor of the pixel shape.
    """
    num_classes = setting.num_classes
    if form.kind == "scores":
        is_float = "float" in keras.backend.standardize_dtype(y_pred.dtype)
        scores = y_pred if is_float else ops.cast(y_pred, "float32")
        ids, is_nan = backend.arg_max(scores, form.axis)
        return ops.where(is_nan, num_classes, ids)
    if form.squeeze is not None:
        y_pred = ops.squeeze(y_pred, form.squeeze)
    if form.kind == "binary":
        is_class_1, fits = above_threshold(y_pred, setting)
        return ops.where(fits, ops.cast(is_class_1, "int32"), num_classes)
    if keras.backend.standardize_dtype(y_pred.dtype) == "bool":
        y_pred = ops.cast(y_pred, "int32")
    is_class = ops.logical_and(y_pred >= 0, y_pred < num_classes)
    return ops.where(is_class, ops.cast(y_pred, "int32"), num_classes)


def above_threshold(y_pred: Tensor, setting: Setting) -> tuple[Tensor, Tensor]:
    """Whether the outputs of sigmoids mean yes, and whether they are valid.

    Args:
        y_pred: Float tensor of any shape, logits or probabilities.
        setting: `Setting`.

    Returns:
        Two boolean tensors of its shape. NaN is invalid.
    """
    y_pred = wide(y_pred)
    slack = math.inf if setting.from_logits else TOLERANCE
    fits = ops.logical_and(y_pred >= -slack, y_pred <= 1 + slack)
    return y_pred > score_of(setting.threshold, setting.from_logits), fits


def score_of(probability: float, from_logits: bool) -> float:
    """A probability as a sigmoid returns it, or the logit that it takes for it."""
    return math.log(probability / (1 - probability)) if from_logits else probability


def _candidates(
    shape: Shape, size: int | None, is_float: bool, num_classes: int, axis: int
) -> Iterator[Form]:
    """Yields the forms that predictions of this shape may have, scores first."""
    rank = len(shape)
    if rank > 1 and size == num_classes and axis % rank > 0:
        yield Form("scores", axis % rank)
    if is_float and num_classes != 2:
        return
    kind = "binary" if is_float else "ids"
    for squeeze in dict.fromkeys((axis % rank, rank - 1) if rank > 1 else ()):
        if squeeze > 0 and shape[squeeze] == 1:
            yield Form(kind, axis % rank or rank - 1, squeeze)
            return
    if rank:
        yield Form(kind, axis % (rank + 1) or rank)


def _labels_fit(labels: Shape, form: Form, shape: Shape, num_classes: int) -> bool:
    """Whether labels of this shape can belong to the pixels of these predictions."""
    pixels, axis = form.pixels(shape), form.axis
    forms = (
        pixels,
        (*pixels, 1),
        (*pixels[:axis], 1, *pixels[axis:]),
        form.scores_shape(shape, num_classes),
    )
    return any(shapes_fit(labels, form) for form in forms)


def _is_one_hot(y_pred: Tensor, axis: int) -> bool:
    rows = ops.cast(y_pred, "int32")
    is_bit = ops.all(ops.logical_or(rows == 0, rows == 1))
    return bool(is_bit) and bool(ops.all(ops.sum(rows, axis=axis) == 1))


def _way_out(
    labels: Shape, shape: Shape, size: int | None, num_classes: int, is_float: bool
) -> str:
    """The last sentence of the error: what most likely went wrong."""
    if is_float and size == num_classes and len(shape) > 1:
        return (
            "If these are the scores, `y_true` has one label, or one row, for each of "
            "their pixels: resize, reshape or transpose it. If the classes are on "
            "another axis, pass `axis`."
        )
    if is_float and num_classes > 2 and (size == 1 or len(shape) <= len(labels)):
        return (
            "If they are class ids, cast them: `keras.ops.cast(y_pred, 'int32')`. If "
            "they come from one sigmoid unit, there are two classes: num_classes=2."
        )
    if is_float and size not in (0, 1, num_classes) and len(shape) > 1:
        return f"If the model has {size} classes, pass num_classes={size}."
    return "If the classes are on another axis, pass `axis`. Else reshape the labels."
