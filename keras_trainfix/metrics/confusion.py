"""How often each class is predicted for each class, counted exactly."""

import functools
import math
from typing import Any, NamedTuple

from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels.dtypes import as_tensor
from keras_trainfix.labels.weights import pixel_weights
from keras_trainfix.metrics import exact
from keras_trainfix.metrics.predictions import (
    Form,
    predicted_classes,
    prediction_form,
)
from keras_trainfix.metrics.reading import (
    as_array,
    checked_setting,
    label_rows,
    read_pixels,
)
from keras_trainfix.metrics.rejected import raise_if_rejected

# Pixels that are counted at a time, for the memory it takes. Of more, torch would cut
# each operation in threads, which takes longer than the operation.
PIECE = 2**15
LARGE_PIECE = 2**19  # of which the arg-max is taken


class Counts(NamedTuple):
    """What `count` returns.

    Attributes:
        matrix: How many valid pixels, or how much weight of them, has each label (rows)
            and prediction (columns): `exact` parts, float32 `(4, C, C)`.
        rejected: Float32 `(3,)`: the numbers of labels that are neither a class nor
            ignored, of predictions of valid pixels that are none, and of weights.
    """

    matrix: Any
    rejected: Any


def confusion_matrix(
    y_true,
    y_pred,
    num_classes,
    ignore_class=255,
    axis=-1,
    threshold=0.5,
    from_logits=False,
    sample_weight=None,
):
    """How many pixels of each class are predicted as each class, void left out.

    Args:
        y_true: Labels: sparse `(N, ...)` or `(N, ..., 1)`, one-hot or soft
            `(N, ..., C)`, or binary, of any integer or float dtype.
        y_pred: Scores `(N, ..., C)`, probabilities or logits alike; integer class ids
            `(N, ...)`; or, of two classes, what one sigmoid unit gives.
        num_classes: Integer `C`, 2 or more.
        ignore_class: Integer, tuple of integers, or None: ids of void, inside or
            outside the range of the classes. Defaults to `255`.
        axis: Integer, the class axis of `y_pred`. Defaults to `-1`.
        threshold: Float in `(0, 1)`, the probability above which one sigmoid unit says
            class 1. Defaults to `0.5`.
        from_logits: Whether one sigmoid unit gives logits. With a class axis it does
            not matter. Defaults to `False`.
        sample_weight: Weights of samples `(N,)` or of pixels `(N, ...)`, or None.

    Returns:
        Tensor `(C, C)` with labels as rows and predictions as columns: int32, or
        float32 with weights. In compiled code, which cannot raise, it is -1 everywhere
        if a label, prediction or weight is none.

    Raises:
        ValueError: If an argument is out of range; if shapes and dtypes do not fit or
            do not tell what `y_pred` are; in eager mode, if a label is neither a class
            nor ignored, if a prediction is NaN, no class or no probability, or if a
            weight is negative or not finite.

    Examples:
        >>> matrix = confusion_matrix([0, 1, 1, 255], [0, 1, 0, 1], num_classes=2)
        >>> keras.ops.convert_to_numpy(matrix).tolist()
        [[1, 0], [1, 1]]
    """
    setting = checked_setting(num_classes, ignore_class, axis, threshold, from_logits)
    counts = count(y_true, y_pred, sample_weight, setting, refuse_nan=True)
    if sample_weight is not None:
        matrix = exact.rounded(counts.matrix)
    else:
        _, ones, middle, _ = (ops.cast(counts.matrix[i], "int32") for i in range(4))
        matrix = ones + middle * int(exact.BASE)
    return ops.where(ops.any(counts.rejected > 0), -1, matrix)


def count(y_true, y_pred, sample_weight, setting, refuse_nan=False):
    """Counts one batch, in eager and in compiled code.

    Args:
        y_true: Labels, see `confusion_matrix`.
        y_pred: Predictions. If Keras attached a mask to them, what it hides is void.
        sample_weight: Weights that broadcast from the left, or None. A pixel of weight
            0 is void.
        setting: `Setting`.
        refuse_nan: Whether NaN in `y_pred` raises in eager code, as other bad input
            does. Otherwise it is counted only: a net that breaks is no bad argument.

    Returns:
        `Counts`.

    Raises:
        ValueError: As `confusion_matrix`.
    """
    mask = backend.keras_mask(y_pred)
    y_true, y_pred = as_array(y_true), as_array(y_pred)
    form = prediction_form(y_true, y_pred, setting.num_classes, setting.axis)
    batch = y_true, y_pred, sample_weight, mask
    if not all(backend.is_concrete(x) for x in batch if x is not None):
        return Counts(*_count(*batch, form, setting))
    if sample_weight is None and mask is None:
        counts = _count_in_pieces(y_true, y_pred, form, setting)
    else:
        counts = Counts(*_run(_count, batch, form, setting))
    raise_if_rejected(
        counts.rejected, y_true, y_pred, sample_weight, form, setting, refuse_nan
    )
    return counts


def _count_in_pieces(y_true, y_pred, form, setting):
    is_small = math.prod(form.pixels(y_pred.shape)) <= PIECE
    if is_small or not backend.slices_are_views(y_pred):
        return Counts(*_run(_count, (y_true, y_pred, None, None), form, setting))
    pieces = _small_pieces(y_true, y_pred, form, setting)
    table = sum(_run(_table, piece, form, setting) for *piece, form in pieces)
    return Counts(*_finished(exact.from_counts(table)))


def _small_pieces(y_true, y_pred, form, setting):
    """Yields `(y_true, y_pred, form)` of parts of a batch whose slices are views."""
    if form.kind != "scores" or not ops.is_tensor(y_pred):
        for piece in _pieces(y_true, y_pred, form, PIECE):
            yield *piece, form
        return
    # The arg-max is worth threads, but they take as long to start as a piece takes.
    ids = Form("ids", form.axis)
    for labels, scores in _pieces(y_true, y_pred, form, LARGE_PIECE):
        found = predicted_classes(scores, form, setting)
        for piece in _pieces(labels, found, ids, PIECE):
            yield *piece, ids


def _run(function, tensors, form, setting):
    """A function of a batch in eager code, compiled where that is faster."""
    tensors = [None if x is None else as_tensor(x) for x in tensors]
    shapes = tuple(None if x is None else (tuple(x.shape), x.dtype) for x in tensors)
    return _compiled(function, form, setting, shapes)(*tensors)


@functools.lru_cache(maxsize=256)
def _compiled(function, form, setting, shapes):
    """A function for the shapes and dtypes of a batch."""
    (shape, _) = shapes[1]
    function = functools.partial(function, form=form, setting=setting, is_eager=True)
    return backend.compiled(function, math.prod(shape))


def _count(y_true, y_pred, sample_weight, mask, form, setting, is_eager=False):
    """`Counts` as a pair, in code that can be compiled."""
    if sample_weight is None and mask is None:
        table = _table(y_true, y_pred, form, setting, is_eager)
        return _finished(exact.from_counts(table))
    size = setting.num_classes
    cells, weights, bad = _cells(y_true, y_pred, sample_weight, mask, form, setting)
    parts = exact.from_weights(weights, cells, (size + 2) * (size + 1))
    return _finished(ops.reshape(parts, (exact.PARTS, size + 2, size + 1)), bad)


def _finished(table, bad_weights=0.0):
    """`Counts`, as a pair, of a table with two rows and one column too many."""
    labels = exact.rounded(ops.sum(table[:, -1], axis=-1))
    predictions = exact.rounded(ops.sum(table[:, :-2, -1], axis=-1))
    bad_weights = ops.convert_to_tensor(bad_weights, "float32")
    return table[:, :-2, :-1], ops.stack([labels, predictions, bad_weights])


def _table(y_true, y_pred, form, setting, is_eager=False):
    """How often each label has each prediction.

    Args:
        y_true: Tensor of labels.
        y_pred: Tensor of predictions.
        form: `Form` of the predictions.
        setting: `Setting`.
        is_eager: Whether this is compiled for itself, and memory may be saved.

    Returns:
        Integer tensor `(C + 2, C + 1)`. The rows after the classes are of void and of
        labels that are none, the last column of predictions that are none.
    """
    images, *image = form.pixels(y_pred.shape)
    is_large = is_eager and images > 1 and math.prod(image) >= PIECE
    if is_large and not backend.slices_are_views(y_pred):
        # One image after the other takes less memory, and no more time.
        tables = ops.map(
            lambda pair: _table(pair[0][None], pair[1][None], form, setting),
            (y_true, y_pred),
        )
        return ops.sum(tables, axis=0)
    columns = setting.num_classes + 1
    rows, place = label_rows(y_true, y_pred, form, setting)
    found = predicted_classes(y_pred, form, setting)
    cells = ops.reshape(rows, (-1,)) * columns + ops.reshape(found, (-1,))
    counts = backend.count_ids(cells, len(place) * columns)
    counts = ops.reshape(counts, (len(place), columns))
    return ops.segment_sum(counts, place.astype("int32"), columns + 1)


def _cells(y_true, y_pred, sample_weight, mask, form, setting):
    """The place of each pixel in a table as `_table` returns, and its weight."""
    size = setting.num_classes
    ids, found, valid, invalid = read_pixels(y_true, y_pred, form, setting)
    if mask is not None:
        valid = ops.logical_and(valid, pixel_weights(mask, valid) > 0)
    weights = ops.cast(pixel_weights(sample_weight, valid), "float32")
    fits = ops.logical_and(weights >= 0, weights < exact.LARGEST_WEIGHT)
    bad_weights = ops.sum(ops.cast(ops.logical_not(fits), "float32"))
    weights = ops.where(fits, weights, 0)
    valid = ops.logical_and(valid, weights > 0)
    weights = ops.where(invalid, 1, weights)
    rows = ops.where(valid, ids, ops.where(invalid, size + 1, size))
    cells = ops.reshape(rows * (size + 1) + found, (-1,))
    return cells, ops.reshape(weights, (-1,)), bad_weights


def _pieces(y_true, y_pred, form, most):
    """Yields parts of a batch, of about `most` pixels."""
    pixels = tuple(form.pixels(y_pred.shape))
    size = math.prod(pixels[1:])
    images = max(1, most // size)
    # Of a large image some rows, on the second axis of pixels.
    rows = most * pixels[1] // size if size > most and len(pixels) > 1 else None
    true_first = len(y_true.shape) > len(pixels) and y_true.shape[2:] == pixels[1:]
    pred_first = 1 in (form.squeeze, form.axis if form.kind == "scores" else None)
    for image in range(0, pixels[0], images):
        some = slice(image, image + images)
        if rows is None:
            yield y_true[some], y_pred[some]
            continue
        for row in range(0, pixels[1], max(1, rows)):
            part = slice(row, row + max(1, rows))
            yield (
                y_true[some, :, part] if true_first else y_true[some, part],
                y_pred[some, :, part] if pred_first else y_pred[some, part],
            )
