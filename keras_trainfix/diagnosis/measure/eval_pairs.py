"""Predictions and targets of an output in one form, void left out."""

from typing import NamedTuple

import numpy as np

from keras_trainfix.diagnosis.observe.sample_weights import has_weight

NOTHING = (None, None)


class EvalPairs(NamedTuple):
    """Predictions and targets of an output in one form, void left out.

    Attributes:
        kind: `"regression"`, `"classes"` (each row has one class) or `"labels"` (each
            column is a question of its own).
        predictions: Float64 array `(n, columns)`: numbers, or probabilities. A single
            sigmoid unit has become two columns.
        targets: Float64 array of the same shape: numbers, or shares of the classes.
    """

    kind: str
    predictions: np.ndarray
    targets: np.ndarray


def read(view):
    """The `EvalPairs` of an output; None where they cannot be compared."""
    return read_rows(view)[0]


def read_rows(view):
    """The `EvalPairs` of an output, and the numbers of their rows, void counted.

    Args:
        view: `OutputView`.

    Returns:
        `(answers, rows)`: as from `read`, and an array of integers. Without void and
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
    if view.task == "unknown" or view.labels.form == "real":
        return NOTHING
    loss = view.loss
    axis = getattr(loss.loss, "axis", -1)
    is_rows = targets.shape == predictions.shape
    if isinstance(axis, int) and predictions.ndim > 2:
        predictions = np.moveaxis(predictions, axis, -1)
        targets = np.moveaxis(targets, axis, -1) if is_rows else targets
    scale = _scale(loss, view.head, predictions)
    units = predictions.shape[-1] if predictions.ndim > 1 else 1
    counted = has_weight(view, predictions.size // units)
    many = view.labels.form == "multi-hot"
    return _classes(predictions, targets, loss.ignore_class, scale, many, counted)


def _numbers(predictions, targets, counted):
    length = len(predictions)
    if targets.size != predictions.size or len(targets) != length:
        return NOTHING
    predictions, targets = predictions.reshape(length, -1), targets.reshape(length, -1)
    rows = counted & np.isfinite(targets).all(1)
    if not rows.any():
        return NOTHING
    answers = EvalPairs("regression", predictions[rows], targets[rows])
    return answers, np.flatnonzero(rows)


def _scale(loss, head, predictions):
    """What predictions are: `"logits"`, `"probabilities"` or `"clipped"` to these."""
    if head.is_probability:
        return "probabilities"
    if loss.from_logits or loss.kind == "hinge":
        return "logits"
    if loss.from_logits is None and (predictions.min() < 0 or predictions.max() > 1):
        return "logits"
    return "clipped"


def _classes(predictions, targets, ignored, scale, many, counted):
    count = len(counted)
    predictions = predictions.reshape(count, -1)
    units = predictions.shape[-1]
    rows = targets.size == predictions.size and units > 1
    if rows:
        targets = targets.reshape(count, units).astype("float64")
        outside = [i for i in ignored if i not in (0, 1)]
        valid = np.isfinite(targets).all(1) & ~np.isin(targets, outside).any(1)
        if not many:
            valid &= (targets > 0).any(1)
            inside = [i for i in ignored if 0 <= i < units]
            valid &= ~np.isin(targets.argmax(1), inside)
    elif targets.size == count:
        targets = targets.reshape(count).astype("float64")
        valid = np.isfinite(targets) & ~np.isin(targets, ignored)
    else:
        return NOTHING
    valid &= counted
    places = np.flatnonzero(valid)
    predictions, targets = predictions[valid], targets[valid]
    if not len(targets):
        return NOTHING
    if units == 1:
        targets = _two_classes(targets)
    elif not rows:
        if (targets < 0).any() or (targets >= units).any() or (targets % 1).any():
            return NOTHING
        targets = np.eye(units)[targets.astype(int)]
    if targets is None:
        return NOTHING
    if many:
        return EvalPairs("labels", _sigmoid(predictions, scale), targets), places
    if units == 1:
        positive = _sigmoid(predictions, scale)[:, 0]
        both = np.stack([1 - positive, positive], 1)
        return EvalPairs("classes", both, targets), places
    if scale == "logits":
        shares = np.exp(predictions - predictions.max(1, keepdims=True))
    else:
        shares = np.clip(predictions, 0, None) + 1e-12
    targets = targets / np.maximum(targets.sum(1, keepdims=True), 1e-12)
    shares = shares / shares.sum(1, keepdims=True)
    return EvalPairs("classes", shares, targets), places


def _two_classes(targets):
    """Rows of two shares, of 0 and 1, -1 and 1, or any two numbers."""
    values = np.unique(targets)
    if values[0] < 0 or values[-1] > 1:
        if len(values) > 2:
            return None
        low = values[0] if len(values) == 2 else min(values[0], 0)
        targets = (targets > low).astype("float64")
    return np.stack([1 - targets, targets], 1)


def _sigmoid(values, scale):
    if scale == "logits":
        return 1 / (1 + np.exp(-np.clip(values, -500, 500)))
    return np.clip(values, 0, 1)
