"""Counts exactly how often each class is predicted for each label."""

import functools
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.arguments import known_names
from keras_trainfix.labels.dtypes import check_numbers
from keras_trainfix.labels.types import IgnoreClass, Tensor
from keras_trainfix.labels.weights import pixel_weights
from keras_trainfix.metrics import exact
from keras_trainfix.metrics.batches import run
from keras_trainfix.metrics.entries import count_entries
from keras_trainfix.metrics.predictions import (
    Form,
    entries_form,
    predicted_classes,
    prediction_form,
)
from keras_trainfix.metrics.reading import as_array, label_rows, read_pixels
from keras_trainfix.metrics.rejected import raise_if_rejected
from keras_trainfix.metrics.setting import Setting, checked_setting

# Pixels counted at a time, to save memory. On larger pieces torch would split each
# operation among threads, which takes longer than the operation itself.
PIECE = 2**15
LARGE_PIECE = 2**19  # pixels per arg-max
COPIED_PIECE = 2**16  # pixels of an array that is copied first


class Counts(NamedTuple):
    """The counts of one batch.

    Attributes:
        matrix: The number of valid pixels, or their total weight, for each label (rows)
            and prediction (columns): `exact` limbs, float32 `(4, C, C)`. With
            `multi_label`, a table for each class, `(4, C, 2, 2)`.
        rejected: Float32 `(3,)`: the number of labels that are neither a class nor
            ignored, of invalid predictions of valid pixels, and of invalid weights.
    """

    matrix: Tensor
    rejected: Tensor


@known_names
def confusion_matrix(
    y_true: Tensor,
    y_pred: Tensor,
    num_classes: int,
    ignore_class: IgnoreClass = 255,
    axis: int = -1,
    threshold: float = 0.5,
    from_logits: bool = False,
    sample_weight: Tensor = None,
    multi_label: bool = False,
) -> Tensor:
    """Counts how many pixels of each class are predicted as each class.

    Void pixels are left out.

    Args:
        y_true: Labels: sparse `(N, ...)` or `(N, ..., 1)`, one-hot or soft
            `(N, ..., C)`, or binary, of any integer or float dtype.
        y_pred: Scores `(N, ..., C)`, either probabilities or logits; integer class ids
            `(N, ...)`; or, with two classes, the output of one sigmoid unit.
        num_classes: Integer `C`, 2 or more.
        ignore_class: Integer, tuple of integers, or None: ids of void, inside or
            outside the range of the classes. Defaults to `255`.
        axis: Integer, the class axis of `y_pred`. Defaults to `-1`.
        threshold: Float in `(0, 1)`, the probability above which one sigmoid unit means
            class 1. Defaults to `0.5`.
        from_logits: Whether one sigmoid unit returns logits. Scores with a class axis
            may be either. Defaults to `False`.
        sample_weight: Weights of samples `(N,)` or of pixels `(N, ...)`, or None.
        multi_label: Whether each class has its own sigmoid, see `MeanIoU`. Defaults to
            `False`.

    Returns:
        Tensor `(C, C)` with labels as rows and predictions as columns: int32, or
        float32 with weights. With `multi_label`, `(C, 2, 2)`: the table
        `[[TN, FP], [FN, TP]]` of each class. In compiled code, which cannot raise, it
        is -1 everywhere if any label, prediction or weight is invalid.

    Raises:
        ValueError: If an argument is out of range, or if shapes and dtypes do not match
            or are ambiguous. In eager mode also if a label is neither a class nor
            ignored, if a prediction is NaN or not a class or probability, or if a
            weight is negative or not finite.

    Examples:
        >>> matrix = confusion_matrix([0, 1, 1, 255], [0, 1, 0, 1], num_classes=2)
        >>> keras.ops.convert_to_numpy(matrix).tolist()
        [[1, 0], [1, 1]]
    """
    arguments = num_classes, ignore_class, axis, threshold, from_logits
    setting = checked_setting(*arguments, multi_label)
    counts = count(y_true, y_pred, sample_weight, setting, refuse_nan=True)
    limbs, rejected = map(ops.convert_to_tensor, counts)
    if sample_weight is not None:
        matrix = exact.rounded(limbs)
    else:
        _, ones, middle, _ = (ops.cast(limbs[i], "int32") for i in range(4))
        matrix = ones + middle * int(exact.BASE)
    return ops.where(ops.any(rejected > 0), -1, matrix)


def count(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor,
    setting: Setting,
    refuse_nan: bool = False,
) -> Counts:
    """Counts one batch, in eager and in compiled code.

    Args:
        y_true: Labels, see `confusion_matrix`.
        y_pred: Predictions. Pixels hidden by a mask that Keras attached are void.
        sample_weight: Weights that broadcast from the left, or None. A pixel of weight
            0 is void.
        setting: `Setting`.
        refuse_nan: Whether NaN in `y_pred` raises in eager code like other invalid
            input. If not it is only counted, as it comes from a net that diverged and
            not from a wrong argument.

    Returns:
        `Counts`.

    Raises:
        ValueError: As `confusion_matrix`.
    """
    batch, form = read_batch(y_true, y_pred, sample_weight, setting)
    function = count_entries if setting.multi_label else _count
    if not is_concrete(batch):
        return Counts(*function(*batch, form, setting))
    y_true, y_pred, sample_weight, mask = batch
    if sample_weight is None and mask is None and not setting.multi_label:
        counts = _count_in_pieces(y_true, y_pred, form, setting)
    else:
        counts = Counts(*map(backend.to_numpy, run(function, batch, form, setting)))
    raise_if_rejected(counts.rejected, *batch[:3], form, setting, refuse_nan)
    return counts


def read_batch(
    y_true: Tensor, y_pred: Tensor, sample_weight: Tensor, setting: Setting
) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor], Form]:
    """`(y_true, y_pred, sample_weight, mask)` without gradients, and the `Form`."""
    mask = backend.keras_mask(y_pred)
    y_true, y_pred = as_array(y_true), as_array(y_pred)
    check_numbers(y_true)
    if setting.multi_label:
        form = entries_form(y_pred, setting.num_classes, setting.axis)
    else:
        form = prediction_form(y_true, y_pred, setting.num_classes, setting.axis)
    return (y_true, y_pred, sample_weight, mask), form


def is_concrete(batch: Iterable[Tensor]) -> bool:
    """Whether the values of all tensors can be read now."""
    return all(backend.is_concrete(x) for x in batch if x is not None)


def _count_in_pieces(
    y_true: Tensor, y_pred: Tensor, form: Form, setting: Setting
) -> Counts:
    """`Counts` of arrays, in eager code."""
    pieces = _small_pieces(y_true, y_pred, form, setting)
    tables = (run(_table, piece, form, setting, True) for *piece, form in pieces)
    table = sum(map(backend.to_numpy, tables))
    return Counts(*_finished(exact.from_counts(table)))


def _small_pieces(
    y_true: Tensor, y_pred: Tensor, form: Form, setting: Setting
) -> Iterator[tuple[Tensor, Tensor, Form]]:
    """Yields `(y_true, y_pred, form)` of parts of a batch whose slices are views."""
    if not backend.slices_are_views(y_pred) or 0 in y_pred.shape:
        yield y_true, y_pred, form
    elif not backend.threads_each_operation():
        yield from _copied_pieces(y_true, y_pred, form)
    elif form.kind != "scores" or not ops.is_tensor(y_pred):
        for piece in _pieces(y_true, y_pred, form, PIECE):
            yield *piece, form
    else:
        # Threads pay off for the arg-max, but take as long to start as one piece takes.
        ids = Form("ids", form.axis)
        for labels, scores in _pieces(y_true, y_pred, form, LARGE_PIECE):
            predicted = predicted_classes(scores, form, setting)
            for piece in _pieces(labels, predicted, ids, PIECE):
                yield *piece, ids


def _copied_pieces(
    y_true: Tensor, y_pred: np.ndarray, form: Form
) -> Iterator[tuple[Tensor, Tensor, Form]]:
    """Yields parts of an array. All scores use the same memory, one after the other."""
    is_float32 = form.kind == "scores" and y_pred.dtype == "float32"
    is_shared = is_float32 and backend.on_cpu(y_pred)
    memory = functools.cache(backend.shared_memory)
    most = COPIED_PIECE if is_shared else LARGE_PIECE
    for labels, predicted in _pieces(y_true, y_pred, form, most):
        if is_shared:
            array, tensor = memory(predicted.shape)
            array[...] = predicted
            predicted = tensor
        yield labels, predicted, form


def _count(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor,
    mask: Tensor,
    form: Form,
    setting: Setting,
) -> tuple[Tensor, Tensor]:
    """`Counts` as a pair, in code that can be compiled."""
    if sample_weight is None and mask is None:
        table = _table(y_true, y_pred, form, setting)
        return _finished(exact.from_counts(table))
    size = setting.num_classes
    cells, weights, bad = cells_of(y_true, y_pred, sample_weight, mask, form, setting)
    cells, weights = ops.reshape(cells, (-1,)), ops.reshape(weights, (-1,))
    limbs = exact.from_weights(weights, cells, (size + 2) * (size + 1))
    return _finished(ops.reshape(limbs, (exact.LIMBS, size + 2, size + 1)), bad)


def _finished(table: Tensor, bad_weights: Tensor = 0.0) -> tuple[Tensor, Tensor]:
    """`Counts`, as a pair, from a table with two extra rows and one extra column."""
    lib = backend.library(table)
    labels = exact.rounded(lib.sum(table[:, -1], axis=-1))
    predictions = exact.rounded(lib.sum(table[:, :-2, -1], axis=-1))
    if lib is np:
        rejected = np.array([labels, predictions, bad_weights], "float32")
    else:
        bad_weights = ops.convert_to_tensor(bad_weights, "float32")
        rejected = ops.stack([labels, predictions, bad_weights])
    return table[:, :-2, :-1], rejected


def _table(
    y_true: Tensor, y_pred: Tensor, form: Form, setting: Setting, is_eager: bool = False
) -> Tensor:
    """How often each label has each prediction.

    Args:
        y_true: Tensor of labels.
        y_pred: Tensor of predictions.
        form: `Form` of the predictions.
        setting: `Setting`.
        is_eager: Whether this is compiled on its own, so that memory can be saved.

    Returns:
        Integer tensor `(C + 2, C + 1)`. The rows after the classes are for void and for
        invalid labels, the last column for invalid predictions.
    """
    images, *image = form.pixels(y_pred.shape)
    is_large = is_eager and images > 1 and math.prod(image) >= PIECE
    if is_large and not backend.slices_are_views(y_pred):
        # One image at a time takes less memory and no more time.
        tables = ops.map(
            lambda pair: _table(pair[0][None], pair[1][None], form, setting),
            (y_true, y_pred),
        )
        return ops.sum(tables, axis=0)
    columns = setting.num_classes + 1
    rows, classes = label_rows(y_true, y_pred, form, setting)
    predicted = predicted_classes(y_pred, form, setting)
    cells = ops.reshape(rows, (-1,)) * columns + ops.reshape(predicted, (-1,))
    counts = backend.count_ids(cells, len(classes) * columns)
    counts = ops.reshape(counts, (len(classes), columns))
    return ops.segment_sum(counts, classes.astype("int32"), columns + 1)


def cells_of(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor,
    mask: Tensor,
    form: Form,
    setting: Setting,
) -> tuple[Tensor, Tensor, Tensor]:
    """Each pixel's cell in the table of `_table`, its weight, and the bad weights."""
    size = setting.num_classes
    target, predicted, valid, invalid = read_pixels(y_true, y_pred, form, setting)
    if mask is not None:
        valid = ops.logical_and(valid, pixel_weights(mask, valid) > 0)
    weights = ops.cast(pixel_weights(sample_weight, valid), "float32")
    fits = ops.logical_and(weights >= 0, weights < exact.LARGEST_WEIGHT)
    bad_weights = ops.sum(ops.cast(ops.logical_not(fits), "float32"))
    weights = ops.where(fits, weights, 0)
    valid = ops.logical_and(valid, weights > 0)
    weights = ops.where(invalid, 1, weights)
    rows = ops.where(valid, target, ops.where(invalid, size + 1, size))
    return rows * (size + 1) + predicted, weights, bad_weights


def _pieces(
    y_true: Tensor, y_pred: Tensor, form: Form, most: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields parts of a batch, of about `most` pixels each."""
    pixels = tuple(form.pixels(y_pred.shape))
    size = math.prod(pixels[1:])
    images = max(1, most // size)
    # Large images are cut into rows, on the second pixel axis.
    rows = most * pixels[1] // size if size > most and len(pixels) > 1 else None
    true_first = len(y_true.shape) > len(pixels) and y_true.shape[2:] == pixels[1:]
    pred_first = 1 in (form.squeeze, form.axis if form.kind == "scores" else None)
    for image in range(0, pixels[0], images):
        batch = slice(image, image + images)
        if rows is None:
            yield y_true[batch], y_pred[batch]
            continue
        for row in range(0, pixels[1], max(1, rows)):
            part = slice(row, row + max(1, rows))
            yield (
                y_true[batch, :, part] if true_first else y_true[batch, part],
                y_pred[batch, :, part] if pred_first else y_pred[batch, part],
            )
