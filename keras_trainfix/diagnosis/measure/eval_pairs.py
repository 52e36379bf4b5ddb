"""Predictions and targets of an output in one form, void left out."""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.diagnosis.observe.head import Head
from keras_trainfix.diagnosis.observe.loss import LossFacts
from keras_trainfix.diagnosis.observe.sample_weights import has_weight
from keras_trainfix.diagnosis.observe.targets import Targets

NOTHING = (None, None)


class EvalPairs(NamedTuple):
    """Predictions and targets of an output in one form, void left out.

    Attributes:
        kind: `"regression"`, `"classes"` (each row has one class) or `"multi_label"`
            (each column is a question of its own).
        predictions: Float64 array `(n, columns)`: numbers, or probabilities. A single
            sigmoid unit has become two columns.
        targets: Float64 array of the same shape: numbers, or shares of the classes.
    """

    kind: str
    predictions: np.ndarray
    targets: np.ndarray


PairsAndRows = tuple[EvalPairs | None, np.ndarray | None]


def read(view: Any) -> EvalPairs | None:
    """The `EvalPairs` of an `OutputView`; None where they cannot be compared."""
    return read_rows(view)[0]


def read_rows(view: Any) -> PairsAndRows:
    """The `EvalPairs` of an output, and the numbers of their rows, void counted.

    Args:
        view: `OutputView`.

    Returns:
        `(pairs, rows)`: as from `read`, and an array of integers. Without void and
        rows without weight they would be `0 ... n - 1`.
    """
    if view.targets is None or not np.isfinite(view.predictions).all():
        return NOTHING
    targets = np.asarray(view.targets)
    if targets.dtype.kind not in "biuf":
        return NOTHING
    predictions = view.predictions.astype("float64")
    if view.task == "regression":
        counted = has_weight(view, len(predictions))
        return _numbers(predictions, targets.astype("float64"), counted)
    labels, units = view.labels, view.head.units
    if view.task == "unknown" or labels.form == "real" or labels.numbers is None:
        return NOTHING
    if labels.is_rows and labels.numbers.shape[1] != units:
        return NOTHING
    scale = _scale(view.loss, view.head, predictions)
    if predictions.ndim > 1:
        predictions = np.moveaxis(predictions, view.class_axis, -1)
    predictions = predictions.reshape(-1, units)
    return _classes(predictions, labels, scale, has_weight(view, len(predictions)))


def _numbers(
    predictions: np.ndarray, targets: np.ndarray, counted: np.ndarray
) -> PairsAndRows:
    length = len(predictions)
    if targets.size != predictions.size or len(targets) != length:
        return NOTHING
    predictions, targets = predictions.reshape(length, -1), targets.reshape(length, -1)
    rows = counted & np.isfinite(targets).all(1)
    if not rows.any():
        return NOTHING
    pairs = EvalPairs("regression", predictions[rows], targets[rows])
    return pairs, np.flatnonzero(rows)


def _scale(loss: LossFacts, head: Head, predictions: np.ndarray) -> str:
    """What predictions are: `"logits"`, `"probabilities"` or `"clipped"` to these."""
    if head.is_probability:
        return "probabilities"
    if loss.from_logits or loss.kind == "hinge":
        return "logits"
    if loss.from_logits is None and (predictions.min() < 0 or predictions.max() > 1):
        return "logits"
    return "clipped"


def _classes(
    predictions: np.ndarray, labels: Targets, scale: str, counted: np.ndarray
) -> PairsAndRows:
    """Of predictions `(places, units)`, on a scale; `counted` are those with weight."""
    units, is_many = predictions.shape[1], labels.form == "multi-hot"
    # One label may be one of any two numbers, as -1 and 1, that are no classes.
    valid = labels.valid if labels.is_rows else ~labels.void
    finite = np.isfinite(labels.numbers)
    valid = valid & counted & (finite.all(1) if labels.is_rows else finite)
    places = np.flatnonzero(valid)
    if not len(places):
        return NOTHING
    predictions, targets = predictions[valid], labels.numbers[valid].astype("float64")
    if units == 1:
        shares = _two_classes(targets.ravel())
        if shares is None:
            return NOTHING
        positive = _sigmoid(predictions, scale)[:, 0]
        both = np.stack([1 - positive, positive], 1)
        return EvalPairs("classes", both, shares), places
    if not labels.is_rows:
        if labels.invalid[valid].any():
            return NOTHING
        targets = np.eye(units)[targets.astype(int)]
    if is_many:
        return EvalPairs("multi_label", _sigmoid(predictions, scale), targets), places
    if scale == "logits":
        scores = np.exp(predictions - predictions.max(1, keepdims=True))
    else:
        scores = np.clip(predictions, 0, None) + 1e-12
    targets = targets / np.maximum(targets.sum(1, keepdims=True), 1e-12)
    scores = scores / scores.sum(1, keepdims=True)
    return EvalPairs("classes", scores, targets), places


def _two_classes(targets: np.ndarray) -> np.ndarray | None:
    """Rows of two shares, of 0 and 1, -1 and 1, or any two numbers."""
    values = np.unique(targets)
    if values[0] < 0 or values[-1] > 1:
        if len(values) > 2:
            return None
        low = values[0] if len(values) == 2 else min(values[0], 0)
        targets = (targets > low).astype("float64")
    return np.stack([1 - targets, targets], 1)


def _sigmoid(values: np.ndarray, scale: str) -> np.ndarray:
    if scale == "logits":
        return 1 / (1 + np.exp(-np.clip(values, -500, 500)))
    return np.clip(values, 0, 1)
