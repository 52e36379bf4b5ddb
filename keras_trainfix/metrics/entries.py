"""Counts yes and no of each class, where a pixel may have several classes or none."""

from typing import NamedTuple

import keras
from keras import ops

from keras_trainfix.labels import class_rows
from keras_trainfix.labels.types import Tensor
from keras_trainfix.labels.weights import pixel_weights
from keras_trainfix.metrics import exact
from keras_trainfix.metrics.predictions import Form, above_threshold
from keras_trainfix.metrics.reading import labels_of
from keras_trainfix.metrics.setting import Setting


class Entries(NamedTuple):
    """The pixels of a batch times the classes, classes last.

    Attributes:
        target: Boolean `(N, ..., C)`.
        predicted: Boolean `(N, ..., C)`.
        counted: Boolean `(N, ..., C)`, or `(N, ..., 1)` without weights.
        weights: Float32 `(N, ..., C)`, 0 where not counted; or None.
        rejected: As in `Counts`.
    """

    target: Tensor
    predicted: Tensor
    counted: Tensor
    weights: Tensor
    rejected: Tensor


def count_entries(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor,
    mask: Tensor,
    form: Form,
    setting: Setting,
) -> tuple[Tensor, Tensor]:
    """`Counts` of a batch as a pair, in code that can be compiled.

    Args:
        y_true: Tensor of labels.
        y_pred: Tensor of predictions, with one entry for each pixel and class.
        sample_weight: Weights that broadcast from the left to the entries, or None.
        mask: Mask of pixels that Keras attached, or None.
        form: `Form` of the predictions.
        setting: `Setting` with `multi_label=True`.
    """
    entries = read_entries(y_true, y_pred, sample_weight, mask, form, setting)
    return tables_of(entries), entries.rejected


def read_entries(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor,
    mask: Tensor,
    form: Form,
    setting: Setting,
) -> Entries:
    """The `Entries` of a batch, see `count_entries`."""
    labels = labels_of(y_true, y_pred, form, setting, check=False)
    size, axis = setting.num_classes, form.axis
    target = ops.moveaxis(class_rows(labels, size, axis) > 0.5, axis, -1)
    predicted, fits = (ops.moveaxis(x, axis, -1) for x in decided(y_pred, setting))
    counted = ops.expand_dims(labels.valid, -1)
    if mask is not None:
        counted = ops.logical_and(counted, pixel_weights(mask, counted) > 0)
    weights, bad_weights = None, ops.zeros((), "float32")
    if sample_weight is not None:
        counted = ops.broadcast_to(counted, ops.shape(predicted))
        weights = entry_weights(sample_weight, counted, axis)
        good = ops.logical_and(weights >= 0, weights < exact.LARGEST_WEIGHT)
        bad_weights = ops.sum(ops.cast(ops.logical_not(good), "float32"))
        weights = ops.where(good, weights, 0)
        counted = ops.logical_and(counted, weights > 0)
    unknown = ops.logical_and(counted, ops.logical_not(fits))
    rejected = [ops.sum(ops.cast(x, "float32")) for x in (labels.invalid, unknown)]
    rejected = ops.stack([*rejected, bad_weights])
    return Entries(target, predicted, counted, weights, rejected)


def tables_of(entries: Entries, by_image: bool = False) -> Tensor:
    """The table of each class: `exact` limbs `(4, C, 2, 2)`, with labels as rows.

    Args:
        entries: `Entries`.
        by_image: Whether each image has its own tables, `(4, N, C, 2, 2)`.
    """
    if entries.weights is not None:
        return _weighted_tables(*entries[:2], entries.weights, by_image)
    return _tables(*entries[:3], by_image)


def decided(y_pred: Tensor, setting: Setting) -> tuple[Tensor, Tensor]:
    """Whether each entry is predicted, and whether its prediction is valid."""
    if "float" in keras.backend.standardize_dtype(y_pred.dtype):
        return above_threshold(y_pred, setting)
    bits = ops.cast(y_pred, "int32")
    return bits == 1, ops.logical_or(bits == 0, bits == 1)


def entry_weights(sample_weight: Tensor, counted: Tensor, axis: int) -> Tensor:
    """The weight of each entry, classes last, 0 where it does not count."""
    weights = ops.convert_to_tensor(sample_weight)
    shape = tuple(counted.shape)
    if len(weights.shape) == len(shape) and weights.shape[axis] == shape[-1]:
        weights = ops.moveaxis(weights, axis, -1)
    return ops.cast(pixel_weights(weights, counted), "float32")


def _tables(
    target: Tensor, predicted: Tensor, counted: Tensor, by_image: bool
) -> Tensor:
    """The limbs of the numbers of entries."""
    pixels = tuple(range(1 if by_image else 0, len(counted.shape) - 1))

    def number(entries: Tensor) -> Tensor:
        entries = ops.cast(entries, "int32")
        return ops.sum(entries, axis=pixels) if pixels else entries

    target = ops.logical_and(target, counted)
    predicted = ops.logical_and(predicted, counted)
    labeled, found = number(target), number(predicted)
    both = number(ops.logical_and(target, predicted))
    neither = number(counted) - labeled - found + both
    cells = [neither, found - both, labeled - both, both]
    limbs = exact.from_counts(ops.stack(cells, axis=-1))
    return ops.reshape(limbs, (*ops.shape(limbs)[:-1], 2, 2))


def _weighted_tables(
    target: Tensor, predicted: Tensor, weights: Tensor, by_image: bool
) -> Tensor:
    """The limbs of the weights of entries."""
    images, *_, size = ops.shape(weights)
    groups = images if by_image else 1
    classes = ops.arange(size, dtype="int32")
    cells = 4 * classes + 2 * ops.cast(target, "int32") + ops.cast(predicted, "int32")
    if by_image:
        first = ops.arange(images, dtype="int32") * (4 * size)
        cells = cells + ops.reshape(first, (-1, *(1,) * (len(weights.shape) - 1)))
    cells, weights = ops.reshape(cells, (-1,)), ops.reshape(weights, (-1,))
    limbs = exact.from_weights(weights, cells, groups * 4 * size)
    leading = (images,) if by_image else ()
    return ops.reshape(limbs, (exact.LIMBS, *leading, size, 2, 2))
