"""Labels, predictions and weights of a batch in the one layout that losses work on."""

import functools
import math
from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels import class_ids, class_rows, mask_predictions, read_labels
from keras_trainfix.labels.dtypes import wide
from keras_trainfix.labels.types import IgnoreClass, Tensor
from keras_trainfix.labels.weights import pixel_weights
from keras_trainfix.losses.class_terms import class_terms

# Below this probability the slope of the logarithm stops growing: its inverse must fit
# in the dtype of the predictions, which is also that of their gradient.
SMALLEST_PROBABILITY = {"float16": 2.0**-14}


class Pixels:
    """A batch as losses see it: `N` images of `K` rows of `L` pixels, classes last.

    Images are summed row by row: adding a million float32 numbers one after another
    is off by whole percents.

    Args:
        y_true: Labels of any form that `read_labels` reads.
        y_pred: Probabilities or logits of shape `(N, ..., C)`. If Keras attached a
            mask to them, masked pixels are void.
        sample_weight: Weights that broadcast from the left, or None. Pixels of weight
            0 are void.
        ignore_class: Ids of void, see `read_labels`.
        from_logits: Whether `y_pred` are logits.
        multi_label: Whether each class has its own sigmoid.
        axis: Integer, the class axis of `y_pred`.
        needed: Which of `"crossentropy"` and `"region"` will be used: one pass over
            the logits computes both.
        dtype: `"float64"` to compute in it. Otherwise the arithmetic is float32, or
            float64 if `y_pred` is.

    Attributes:
        shape: The pixel shape, that of `y_pred` without its class axis.
        num_classes: Integer `C`.
        exclusive: Whether exactly one class is right (softmax), not any number.
        sparse: Whether the labels arrived as integers rather than as rows.
        valid: Boolean `(N, K, L)`.
        weights: Float `(N, K, L)`, 0 where not valid.
        sample_weight: Float `(N,)` if samples have weights, else None. They are also
            part of `weights`.
        any_invalid: Boolean scalar: whether a label is neither a class nor ignored.
        distances: Float `(N, K, L, C)`: signed distances that came with the labels, or
            None. A loss that takes them sets it.
    """

    def __init__(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        ignore_class: IgnoreClass = 255,
        from_logits: bool = False,
        multi_label: bool = False,
        axis: int = -1,
        needed: Iterable[str] = (),
        dtype: str | None = None,
    ) -> None:
        mask = backend.keras_mask(y_pred)
        y_pred = ops.convert_to_tensor(y_pred)
        received = keras.backend.standardize_dtype(y_pred.dtype)
        y_pred = ops.cast(y_pred, dtype) if dtype == "float64" else wide(y_pred)
        if len(y_pred.shape) == 1:
            y_pred = ops.expand_dims(y_pred, -1)
        labels = read_labels(y_true, y_pred.shape, ignore_class, axis, multi_label)
        valid = labels.valid
        if mask is not None:
            valid = ops.logical_and(valid, pixel_weights(mask, valid) > 0)
        weights = ops.cast(pixel_weights(sample_weight, valid), y_pred.dtype)
        if sample_weight is not None:
            _check_weights(weights)
            valid = ops.logical_and(valid, weights != 0)

        self.distances: Tensor | None = None
        self.from_logits = from_logits
        self.needed = tuple(needed)
        self.smallest = SMALLEST_PROBABILITY.get(received, 1e-37)
        self.num_classes = y_pred.shape[axis]
        self.exclusive = self.num_classes > 1 and not multi_label
        self.sparse = labels.sparse
        self.any_invalid = ops.any(labels.invalid)
        self.shape = ops.shape(valid)
        self.valid = _in_rows(valid)
        self.weights = _in_rows(weights)
        self.sample_weight = _per_sample(sample_weight, self.weights)
        values = labels.values if labels.sparse else _classes_last(labels.values, axis)
        values = _in_rows(values, classes=not labels.sparse)
        self._labels = labels._replace(values=values, valid=self.valid)
        self._scores = _in_rows(_classes_last(y_pred, axis), classes=True)
        if not from_logits:
            self._check_probabilities()

    @functools.cached_property
    def ids(self) -> Tensor:
        """The labels as int32 classes `(N, K, L)`; 0 where not valid."""
        return class_ids(self._labels)

    @functools.cached_property
    def rows(self) -> Tensor:
        """The labels as float `(N, K, L, C)`; 0 where not valid."""
        rows = class_rows(self._labels, self.num_classes)
        return mask_predictions(ops.cast(rows, self.weights.dtype), self.valid)

    @functools.cached_property
    def scores(self) -> Tensor:
        """`y_pred` as `(N, K, L, C)`; 0 where not valid."""
        return mask_predictions(self._scores, self.valid)

    @functools.cached_property
    def probabilities(self) -> Tensor:
        """`(N, K, L, C)`; 0 where not valid."""
        if not self.from_logits:
            return self.scores
        scores = ops.exp(-self.nll) if self.exclusive else ops.sigmoid(self.scores)
        return mask_predictions(scores, self.valid)

    @functools.cached_property
    def nll(self) -> Tensor:
        """`-log(p)` of every class, `(N, K, L, C)`; finite under void."""
        if not self.from_logits:
            return -self._log(self.scores)
        if self.exclusive:
            return -ops.log_softmax(self.scores, axis=-1)
        return ops.softplus(-self.scores)

    @functools.cached_property
    def nll_negative(self) -> Tensor:
        """`-log(1 - p)` of every class, `(N, K, L, C)`; finite under void."""
        if not self.from_logits:
            return -self._log(1 - self.scores)
        return ops.softplus(self.scores)

    @functools.cached_property
    def one_hot(self) -> Tensor:
        """`rows`, rounded: 1 for the class of a pixel, or each class above one half."""
        if self.exclusive and not self.sparse:
            return ops.one_hot(self.ids, self.num_classes)
        return self.rows > 0.5

    @functools.cached_property
    def crossentropy(self) -> Tensor:
        """`-log(p)` of sparse labels of a softmax, `(N, K, L)`; 0 where not valid."""
        if self.from_logits:
            return self._terms["crossentropy"]
        at_label = backend.at_class(self.scores, self.ids)
        return ops.where(self.valid, -self._log(at_label), 0)

    @functools.cached_property
    def region_sums(self) -> tuple[Tensor, Tensor, Tensor]:
        """`(overlap, predicted, labeled)`, weighted sums over images, `(N, C)` each.

        The sums of labels times probabilities, of probabilities, and of labels.
        """
        if not (self.exclusive and self.sparse):
            rows, probabilities = self.rows, self.probabilities
            return (
                self.image_sums(rows * probabilities),
                self.image_sums(probabilities),
                self.image_sums(rows),
            )
        labeled = self._sums_by_class(self.weights)
        if self.from_logits:
            return *self._terms["region"], labeled
        at_label = backend.at_class(self.scores, self.ids)
        overlap = self._sums_by_class(self.weights * at_label)
        return overlap, self.image_sums(self.scores), labeled

    def image_sums(self, values: Tensor) -> Tensor:
        """The weighted sums over images, `(N, C)`, of values `(N, K, L, C)`."""
        rows = backend.product(ops.expand_dims(self.weights, -2), values)
        return ops.sum(rows, axis=(1, 2))

    def _sums_by_class(self, values: Tensor) -> Tensor:
        return ops.sum(backend.sums_by_class(values, self.ids, self.num_classes), 1)

    @functools.cached_property
    def _terms(self) -> dict[str, Any]:
        ids, needed = backend.as_index(self.ids), self.needed
        return class_terms(self._scores, ids, self.valid, self.weights, needed)

    def _log(self, probabilities: Tensor) -> Tensor:
        # Clipping would leave no slope below the smallest probability, so that a
        # saturated wrong prediction could not be unlearned.
        held = ops.stop_gradient(ops.maximum(probabilities, self.smallest))
        offset = (probabilities - ops.stop_gradient(probabilities)) / held
        return ops.log(held) + offset

    def _check_probabilities(self) -> None:
        if not backend.is_concrete(self._scores) or 0 in tuple(self._scores.shape):
            return
        # The raw scores first, which is quick. NaN under void fails that check.
        for scores in (self._scores, self.scores):
            scores = ops.stop_gradient(scores)
            low, high = float(ops.min(scores)), float(ops.max(scores))
            if low >= -1e-3 and high <= 1 + 1e-3:
                return
        if low < -1e-3 or high > 1 + 1e-3:
            raise ValueError(
                "`y_pred` must be probabilities, between 0 and 1, with "
                f"from_logits=False. Received: y_pred from {low:.6g} to {high:.6g}. "
                "If the last layer of the model has no activation, these are logits: "
                "pass `from_logits=True`."
            )


def _classes_last(tensor: Tensor, axis: int) -> Tensor:
    if axis in (-1, len(tensor.shape) - 1):
        return tensor
    return ops.moveaxis(tensor, axis, -1)


def _in_rows(tensor: Tensor, classes: bool = False) -> Tensor:
    """`(N, ..., L)` as `(N, K, L)`; with `classes`, `(N, ..., L, C)` likewise."""
    shape = tuple(tensor.shape)
    pixels, last = (shape[:-1], shape[-1:]) if classes else (shape, ())
    if len(pixels) < 3:
        new = (pixels[0], *(1,) * (3 - len(pixels)), *pixels[1:], *last)
    else:
        middle = pixels[1:-1]
        rows = None if None in middle else math.prod(middle)
        new = (pixels[0], rows, pixels[-1], *last)
    if length := _row_length(pixels[-1]) if len(pixels) > 1 else None:
        rows = None if new[1] is None else new[1] * (pixels[-1] // length)
        new = (new[0], rows, length, *last)
    if new.count(None) > 1:
        actual = ops.shape(tensor)
        length = actual[len(pixels) - 1] if new[2] is None else new[2]
        new = (actual[0], None, length, *last)
    return ops.reshape(tensor, tuple(-1 if size is None else size for size in new))


def _row_length(size: int | None) -> int | None:
    """The length of the pieces to cut a long last axis into, or None."""
    if size is None or size <= 4096:
        return None
    length = next(n for n in range(2048, 0, -1) if size % n == 0)
    return length if length >= 64 else None


def _check_weights(weights: Tensor) -> None:
    weights = ops.stop_gradient(weights)
    if backend.is_concrete(weights) and not bool(ops.all(weights >= 0)):
        raise ValueError(
            "`sample_weight` must not be negative or NaN. Received: sample_weight of "
            f"values from {float(ops.min(weights)):.6g} to "
            f"{float(ops.max(weights)):.6g}. A weight of 0 leaves a pixel out."
        )


def _per_sample(sample_weight: Tensor | None, weights: Tensor) -> Tensor | None:
    """The weights of samples `(N,)`, or None if pixels have their own."""
    if sample_weight is None:
        return None
    sample_weight = ops.convert_to_tensor(sample_weight)
    if any(size != 1 for size in tuple(sample_weight.shape)[1:]):
        return None
    flat = ops.cast(ops.reshape(sample_weight, (-1,)), weights.dtype)
    return ops.where(ops.max(weights, axis=(1, 2)) > 0, flat, 0)
