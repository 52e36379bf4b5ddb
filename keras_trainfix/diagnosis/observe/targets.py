"""Targets as the checks read them: places, numbers and ids."""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.diagnosis.observe.sample_weights import has_weight
from keras_trainfix.losses.masked_loss import MaskedLoss
from keras_trainfix.losses.weighted_sum import WeightedSum

MOST_SHOWN = 8
FEWEST = 20  # labels from which shares are told


class Targets(NamedTuple):
    """Targets by the side of the predictions.

    Attributes:
        units: Integer, the size of the class axis of the predictions.
        rows: Float array `(places, columns)` with a column a class, or None where
            there is one label a place.
        labels: Array `(places,)`, or None where there are rows.
        values: The distinct numbers among them, sorted.
        counts: How often each occurs.
        is_mask: Whether the places are those of images.
    """

    units: int
    rows: Any
    labels: Any
    values: np.ndarray
    counts: np.ndarray
    is_mask: bool

    @property
    def classes(self):
        """How many classes the units tell apart."""
        return max(2, self.units)

    def share(self, chosen):
        """Share of the numbers whose value is among the chosen, a mask of `values`."""
        return float(self.counts[chosen].sum() / self.counts.sum())

    def table(self, chosen):
        """`[[value, count], ...]` of the chosen values, the first few."""
        pairs = zip(self.values[chosen], self.counts[chosen], strict=True)
        return [[_number(v), int(c)] for v, c in list(pairs)[:MOST_SHOWN]]


def read_targets(view, drop_ignored=True):
    """The `Targets` of a probe, or None where they do not fit the predictions.

    Places whose weight is 0 are left out, and so are ignored labels.
    """
    if view.targets is None:
        return None
    targets = np.asarray(view.targets)
    if targets.dtype.kind not in "biuf" or not targets.size:
        return None
    shape = view.predictions.shape
    shape = shape if len(shape) > 1 else (*shape, 1)
    axis = _class_axis(view.loss.loss, len(shape))
    if targets.ndim == len(shape):
        targets = np.moveaxis(targets, axis, -1)
    places = (*shape[:axis], *shape[axis + 1 :])
    units = shape[axis]
    # Out of range, a label is an error, or NaN, in a sparse loss, whatever its weight.
    is_sparse = view.loss.kind == "sparse"
    keep = slice(None) if is_sparse else has_weight(view, int(np.prod(places)))
    if targets.shape[: len(places)] != places or targets.ndim > len(places) + 1:
        return None
    if targets.ndim == len(places) or targets.shape[-1] == 1:
        labels, rows = targets.reshape(-1)[keep], None
        labels = labels[np.isfinite(labels)]
        if drop_ignored:
            labels = labels[~np.isin(labels, view.loss.ignore_class)]
        values, counts = np.unique(labels, return_counts=True)
    else:
        rows, labels = targets.reshape(-1, targets.shape[-1])[keep], None
        rows = rows[np.isfinite(rows).all(1)]
        if drop_ignored:
            void = [i for i in view.loss.ignore_class if i not in (0, 1)]
            rows = rows[~np.isin(rows, void).any(1)]
        values, counts = np.unique(rows, return_counts=True)
    if not values.size:
        return None
    return Targets(
        units, rows, labels, values.astype("float64"), counts, len(places) > 2
    )


def real_targets(view):
    """The targets of a regression as float64 `(rows, columns)`, or None."""
    y = view.targets
    if y is None or view.task != "regression" or y.dtype.kind not in "biuf":
        return None
    if not y.size or view.predictions.size != y.size:
        return None
    return y.reshape(-1, view.head.units).astype("float64")


def class_ids(view):
    """The valid labels as a vector of integers, or None."""
    labels, y = view.labels, view.targets
    ignored = view.loss.ignore_class
    if labels is None or labels.form not in ("binary", "ids", "one-hot", "soft"):
        return None
    if labels.form in ("one-hot", "soft"):
        rows = y.reshape(-1, y.shape[-1]).astype("float64")
        void = np.isin(rows, [i for i in ignored if i not in (0, 1)]).any(1)
        rows = rows[~void & np.isfinite(rows).all(1) & (rows.sum(1) > 0)]
        ids = rows.argmax(1)
    else:
        ids = y.ravel().astype("float64")
        ids = ids[np.isfinite(ids)].astype("int64")
    return ids[~np.isin(ids, ignored)]


def _number(value):
    return int(value) if value == int(value) else float(value)


def _class_axis(loss, rank):
    if isinstance(loss, WeightedSum):
        loss = loss.losses[0]
    axis = getattr(loss, "axis", -1)
    is_classwise = isinstance(loss, MaskedLoss) and isinstance(axis, int)
    return axis % rank if is_classwise else rank - 1
