"""The constant answer that is best for a compiled loss, and skill by that loss.

Known losses have a formula; any other is called with constants until none is better.
"""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.diagnosis.measure.constant_search import TINY, Search
from keras_trainfix.diagnosis.observe.loss_value import value_of

MOST_NUMBERS = 2**18  # of the predictions: fewer samples of large ones


class LossConstant(NamedTuple):
    """The constant answer with the least loss.

    Attributes:
        answer: Array, one number a column of the predictions: what the head would have
            to give, so logits for a loss from logits.
        loss: Float, the compiled loss of this answer.
        calls: Integer, how often the loss was called.
    """

    answer: np.ndarray
    loss: float
    calls: int


class LossSkill(NamedTuple):
    """A model, the best constant and perfect answers, in terms of the compiled loss.

    Attributes:
        loss: Float, that of the model.
        constant_loss: Float, that of the best constant answer.
        perfect_loss: Float, that of the targets as predictions.
    """

    loss: float
    constant_loss: float
    perfect_loss: float

    @property
    def skill(self):
        """1 for perfect answers, 0 for those no better than a constant."""
        return 1 - (self.loss - self.perfect_loss) / (
            self.constant_loss - self.perfect_loss
        )


def constant_for_loss(view):
    """The constant answer with the least compiled loss, within what the head can give.

    Args:
        view: `OutputView`.

    Returns:
        `LossConstant`, or None where there is no loss or no target, where they do not
        fit, or where no constant has a finite loss.
    """
    case = _case(view)
    return None if case is None else _best(case)


def loss_skill(view):
    """How far a model is from the best constant to perfect answers, by its own loss.

    Args:
        view: `OutputView`.

    Returns:
        `LossSkill`, or None where one of the three losses is not known, or perfect
        answers are no better than a constant.
    """
    case = _case(view)
    best = None if case is None else _best(case)
    if best is None:
        return None
    rows = _perfect_rows(case)
    perfect = None if rows is None else case.value(_in_place(rows, case))
    loss = case.value(case.predictions)
    if loss is None or perfect is None:
        return None
    if not best.loss - perfect > 1e-6 * max(abs(best.loss), abs(perfect)):
        return None
    return LossSkill(loss, best.loss, perfect)


class _Case(NamedTuple):
    """A loss, and what it is called with."""

    view: Any
    targets: np.ndarray
    predictions: np.ndarray
    axis: int

    def value(self, predictions):
        """The loss of predictions of the shape as it is."""
        loss = self.view.loss.loss
        return value_of(loss, self.targets, predictions.astype("float32"))

    def constant(self, answer):
        """Predictions that are `answer` everywhere."""
        shape = [1] * self.predictions.ndim
        shape[self.axis] = -1
        rows = np.reshape(answer, shape) if len(answer) > 1 else np.array(answer[0])
        return np.broadcast_to(rows, self.predictions.shape)


def _case(view):
    if view.loss.loss is None or view.targets is None:
        return None
    targets, predictions = np.asarray(view.targets), view.predictions
    if targets.dtype.kind not in "biuf" or len(targets) != len(predictions):
        return None
    most = max(8, MOST_NUMBERS * len(predictions) // max(1, predictions.size))
    if len(predictions) > most:
        some = np.linspace(0, len(predictions) - 1, most).astype(int)
        targets, predictions = targets[some], predictions[some]
    axis = getattr(view.loss.loss, "axis", -1)
    is_axis = isinstance(axis, int) and predictions.ndim > 2
    return _Case(view, targets, predictions, axis if is_axis else -1)


def _best(case):
    search = Search(case)
    formula = _formula(case)
    if formula is not None:
        search.try_answer(formula)
    else:
        for answer in _starts(case):
            search.try_answer(answer)
        search.improve()
    if search.answer is None:
        return None
    return LossConstant(search.answer, search.loss, search.calls)


def _rows(case):
    """Targets as `(n, columns)` of the predictions, void left out; None if they differ.

    Ids become rows of 0 and 1.
    """
    rows = _perfect_shares(case)
    if rows is None:
        return None
    return rows[np.isfinite(rows).all(1)]


def _perfect_shares(case):
    """Targets in the form of predictions, `(places, columns)`; void is NaN."""
    predictions, targets = case.predictions, case.targets.astype("float64")
    units = predictions.shape[case.axis] if predictions.ndim > 1 else 1
    places = predictions.size // units
    ignored = case.view.loss.ignore_class
    if targets.size == predictions.size and (
        units == 1 or targets.shape == predictions.shape
    ):
        if units > 1:
            targets = np.moveaxis(targets, case.axis, -1)
        rows = targets.reshape(places, units)
        inside = (0, 1) if units > 1 else ()
        void = np.isin(rows, [i for i in ignored if i not in inside])
        return np.where(void.any(axis=1, keepdims=True), np.nan, rows)
    if targets.size != places:
        return None
    ids = targets.ravel()
    void = np.isin(ids, ignored) | ~np.isfinite(ids)
    safe = np.where(void, 0, ids)
    if (safe < 0).any() or (safe >= units).any() or (safe % 1).any():
        return None
    return np.where(void[:, None], np.nan, np.eye(units)[safe.astype(int)])


def _perfect_rows(case):
    """What the head would have to give for each target."""
    rows = _perfect_shares(case)
    if rows is None:
        return None
    rows = np.where(np.isfinite(rows), rows, 0.0)
    if case.view.loss.kind == "hinge" and rows.min() >= 0:
        return 2 * rows - 1  # as Keras does with labels of 0 and 1
    return _as_logits(rows, case) if case.view.loss.from_logits else rows


def _in_place(rows, case):
    """Rows `(places, columns)` in the shape of the predictions."""
    shape = np.moveaxis(case.predictions, case.axis, -1).shape
    return np.moveaxis(rows.reshape(shape), -1, case.axis)


def _as_logits(shares, case):
    """Logits of shares: of classes that exclude each other, or of each on its own."""
    shares = np.clip(shares, TINY, 1 - TINY)
    logits = np.log(shares)
    if _sums_to_one(case):
        return logits
    return logits - np.log1p(-shares)


def _sums_to_one(case):
    units = case.predictions.shape[case.axis] if case.predictions.ndim > 1 else 1
    is_choice = case.view.loss.kind in ("categorical", "sparse", "masked")
    return units > 1 and (is_choice or case.view.head.activation == "softmax")


def _formula(case):
    """The best constant where a formula knows it; None for any other loss."""
    rows, loss = _rows(case), case.view.loss
    if rows is None or not len(rows) or case.predictions.ndim < 2:
        return None
    low, high = case.view.head.range
    if loss.name in ("mean_squared_error", "poisson"):
        answer = rows.mean(0)
    elif loss.name == "mean_absolute_error":
        answer = np.median(rows, 0)
    elif _is_plain_crossentropy(loss, rows):
        answer = rows.mean(0)
        if loss.kind == "categorical" and not _sums_to_one(case):
            return None
        if loss.from_logits:
            return _as_logits(answer, case)
    else:
        return None
    return np.clip(answer, low, high)


def _is_plain_crossentropy(loss, rows):
    """Whether the shares of the classes are the best answer to a loss."""
    plain = (
        "binary_crossentropy",
        "categorical_crossentropy",
        "sparse_categorical_crossentropy",
    )
    if loss.name not in plain or rows.min() < 0 or rows.max() > 1:
        return False
    settings = getattr(loss.loss, "_fn_kwargs", {})
    return not settings.get("label_smoothing")


def _starts(case):
    """Constants that are the best for one loss or another."""
    units = case.predictions.shape[case.axis] if case.predictions.ndim > 1 else 1
    rows = _rows(case)
    if rows is None:
        values = case.targets[np.isfinite(case.targets)].astype("float64")
        rows = np.repeat(values[:, None], units, 1)
    if not len(rows):
        return []
    mean, median = rows.mean(0), np.median(rows, 0)
    starts = [mean, median, rows.min(0), rows.max(0), *np.quantile(rows, (0.1, 0.9), 0)]
    starts += [np.zeros(units), np.ones(units), -np.ones(units)]
    if case.view.loss.from_logits or (rows.min() >= 0 and rows.max() <= 1):
        starts.insert(0, _as_logits(mean, case))
    if _sums_to_one(case) and units <= 8:
        hard = np.eye(units)
        is_logits = case.view.loss.from_logits
        starts += list(_as_logits(hard, case) if is_logits else hard)
    return starts
