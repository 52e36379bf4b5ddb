"""Scores of single images, added up exactly."""

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels.types import Tensor
from keras_trainfix.metrics import exact
from keras_trainfix.metrics.batches import run
from keras_trainfix.metrics.class_scores import (
    outcomes,
    outcomes_of_entries,
    ratio,
)
from keras_trainfix.metrics.confusion import cells_of, is_concrete, read_batch
from keras_trainfix.metrics.entries import read_entries, tables_of
from keras_trainfix.metrics.predictions import Form
from keras_trainfix.metrics.rejected import raise_if_rejected
from keras_trainfix.metrics.setting import Setting

# Scores are added up in whole multiples of 1 / UNITS, so that neither the order nor the
# batches of the images matter.
UNITS = 2.0**24
HALF = 2.0**12


class ImageCounts(NamedTuple):
    """The counts and the scores of the images of one batch.

    Attributes:
        matrix: As in `Counts`, over all images.
        rejected: As in `Counts`.
        sums: `exact` limbs `(4, 2, C + 1)`: the sum of the scores, in units, and the
            number of images (or their total weight), first for the mean over classes,
            then for each class.
        left_out: Float32 scalar: the number of images without a valid pixel.
    """

    matrix: Tensor
    rejected: Tensor
    sums: Tensor
    left_out: Tensor


def count_images(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor,
    setting: Setting,
    score: Callable[..., Any],
    wanted: tuple[bool, ...],
) -> ImageCounts:
    """Scores each image of a batch, in eager and in compiled code.

    Args:
        y_true: Labels, see `confusion_matrix`.
        y_pred: Predictions.
        sample_weight: Weights that broadcast from the left, or None. Those of samples
            weigh the images in the mean, those of pixels the pixels in an image.
        setting: `Setting`.
        score: Function of true positives, false positives and false negatives.
        wanted: For each class, whether it enters the mean.

    Raises:
        ValueError: As `count`.
    """
    batch, form = read_batch(y_true, y_pred, sample_weight, setting)
    settings = form, setting, score, wanted
    if not is_concrete(batch):
        return ImageCounts(*_count_images(*batch, *settings))
    parts = run(_count_images, batch, *settings)
    counts = ImageCounts(*map(backend.to_numpy, parts))
    raise_if_rejected(counts.rejected, *batch[:3], form, setting, False)
    return counts


def mean_scores(sums: Tensor) -> Tensor:
    """The mean score over images, and that of each class; NaN without an image."""
    sums = exact.rounded(sums)
    return ratio(sums[0] / UNITS, sums[1])


def _count_images(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor,
    mask: Tensor,
    form: Form,
    setting: Setting,
    score: Callable[..., Any],
    wanted: tuple[bool, ...],
) -> tuple[Tensor, ...]:
    """`ImageCounts` as a tuple, in code that can be compiled."""
    function = _entry_tables if setting.multi_label else _tables
    tables, matrix, rejected = function(
        y_true, y_pred, sample_weight, mask, form, setting
    )
    counted = ops.sum(tables, axis=(-2, -1)) > 0  # (N, C), or (N,)
    if not setting.multi_label:
        counted = ops.expand_dims(counted, -1)
    split = outcomes_of_entries if setting.multi_label else outcomes
    correct, extra, missed = split(tables)
    values = score(correct, extra, missed)
    values = ops.where(ops.isnan(values), 1.0, values)  # rightly not predicted
    counts = ops.logical_and(counted, wanted)
    if not setting.multi_label:
        # False positives of an absent class are false negatives of the others.
        present = ops.logical_and(counts, correct + missed > 0)
        has_any = ops.any(present, axis=-1, keepdims=True)
        counts = ops.where(has_any, present, counts)
    units = ops.round(values * UNITS)
    is_scored = ops.any(counts, axis=-1)
    units = ops.concatenate([_mean(units, counts)[:, None], units], axis=-1)
    counts = ops.concatenate([is_scored[:, None], counts], axis=-1)
    weights = ops.expand_dims(_image_weights(sample_weight, is_scored), -1)
    weights = ops.where(counts, weights, 0)
    columns = ops.broadcast_to(ops.arange(len(wanted) + 1), ops.shape(weights))
    sums = [
        exact.from_weights(
            ops.reshape(amounts, (-1,)), ops.reshape(columns, (-1,)), len(wanted) + 1
        )
        for amounts in (ops.where(counts, units, 0) * weights, weights)
    ]
    left_out = ops.sum(ops.cast(ops.logical_not(is_scored), "float32"))
    return matrix, rejected, ops.stack(sums, axis=1), left_out


def _mean(units: Tensor, counts: Tensor) -> Tensor:
    """The mean of whole numbers up to `UNITS` over the classes that count, rounded.

    The sums are exact in float32, so that the order of their terms does not matter.
    """
    high = ops.floor(units / HALF)
    total = sum(
        factor * ops.sum(ops.where(counts, part, 0), axis=-1)
        for factor, part in ((HALF, high), (1.0, units - HALF * high))
    )
    number = ops.sum(ops.cast(counts, "float32"), axis=-1)
    return ops.round(total / ops.maximum(number, 1))


def _tables(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor,
    mask: Tensor,
    form: Form,
    setting: Setting,
) -> tuple[Tensor, Tensor, Tensor]:
    """The confusion matrix of each image, float32, the whole one, and `rejected`."""
    size = setting.num_classes
    shape = size + 2, size + 1
    cells, weights, bad = cells_of(y_true, y_pred, sample_weight, mask, form, setting)
    images = ops.shape(cells)[0]
    first = ops.arange(images, dtype="int32") * (shape[0] * shape[1])
    ids = ops.cast(cells, "int32") + ops.reshape(first, (-1, *(1,) * (cells.ndim - 1)))
    ids, length = ops.reshape(ids, (-1,)), images * shape[0] * shape[1]
    if sample_weight is None:
        numbers = ops.reshape(backend.count_ids(ids, length), (images, *shape))
        whole = exact.from_counts(ops.sum(numbers, axis=0))
        tables = ops.cast(numbers, "float32")
    else:
        weights = ops.reshape(weights, (-1,))
        limbs = exact.from_weights(weights, ids, length)
        tables = ops.reshape(exact.rounded(limbs), (images, *shape))
        cells = ops.reshape(cells, (-1,))
        whole = exact.from_weights(weights, cells, shape[0] * shape[1])
        whole = ops.reshape(whole, (exact.LIMBS, *shape))
    invalid = ops.sum(tables[:, -1]), ops.sum(tables[:, :-2, -1])
    rejected = ops.stack([*invalid, ops.convert_to_tensor(bad, "float32")])
    return tables[:, :-2, :-1], whole[:, :-2, :-1], rejected


def _entry_tables(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor,
    mask: Tensor,
    form: Form,
    setting: Setting,
) -> tuple[Tensor, Tensor, Tensor]:
    """The tables of the classes in each image, float32, in all, and `rejected`."""
    entries = read_entries(y_true, y_pred, sample_weight, mask, form, setting)
    tables = exact.rounded(tables_of(entries, by_image=True))
    return tables, tables_of(entries), entries.rejected


def _image_weights(sample_weight: Tensor, is_scored: Tensor) -> Tensor:
    """The weight of each image in the mean, `(N,)`; 1 if pixels have their own."""
    ones = ops.cast(is_scored, "float32")
    if sample_weight is None:
        return ones
    weights = ops.cast(ops.convert_to_tensor(sample_weight), "float32")
    if any(size != 1 for size in tuple(weights.shape)[1:]):
        return ones
    weights = ops.broadcast_to(ops.reshape(weights, (-1,)), ops.shape(is_scored))
    return ops.where(is_scored, weights, 0)
