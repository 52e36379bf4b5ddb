"""Which answers does the loss of the user ask for, whatever the network is?"""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.diagnosis.experiments.backward import has_loss, has_own_loss
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.instruments.gradients_by_answer import Slopes
from keras_trainfix.diagnosis.trial.user_step import has_own_step

MOST = 64  # samples
MOST_NUMBERS = 2**16  # entries of the answers
STEPS = 48
FASTER, SLOWER = 1.5, 0.5  # of a step, while the slope keeps or changes its sign
FIRST = 0.1  # step, of the spread of the targets
FURTHEST = 20.0  # of a logit
FEWEST = 16  # entries that count
SUMS_TO_ONE = 1e-3


class WantedAnswers(NamedTuple):
    """The answers that a descent on the answers themselves leads to.

    Attributes:
        samples: Integer, how many samples there were.
        fit: Float, how well these answers fit the targets, 0 for chance and 1 for
            perfect: R2 of rows of probabilities, the correlation of other numbers, the
            share of right classes beyond that of the commonest. A distance may fall
            with its label: for labels of two values its sign is ignored, unless the
            answers are probabilities.
    """

    samples: int
    fit: float


@instrument("answers that the loss asks for")
def wanted_answers(snapshot: Any) -> dict[str, WantedAnswers] | None:
    """The `WantedAnswers` of each output with a loss of the user.

    The descent begins at answers that are nearly the same for all samples. Places
    whose answer the loss never moves are left out: it masks them.

    Args:
        snapshot: `Snapshot`.

    Returns:
        Dict of the name of the output; None without such an output.
    """
    model = snapshot.model
    if not has_loss(snapshot) or has_own_step(model) or has_own_loss(model):
        return None
    asked = {
        view.name: _of_output(snapshot, view)
        for view in snapshot.views()
        if view.loss.kind == "custom" and view.targets is not None
    }
    return {name: seen for name, seen in asked.items() if seen is not None} or None


def _of_output(snapshot: Any, view: Any) -> WantedAnswers | None:
    size = int(np.prod(view.predictions.shape[1:]))
    length = min(len(view.targets), MOST, MOST_NUMBERS // max(size, 1))
    numbers = np.linspace(0, len(view.targets) - 1, length).astype(int)
    targets = np.asarray(view.targets[numbers])
    if targets.dtype.kind not in "biuf" or length < 2:
        return None
    slopes = Slopes(snapshot, view, numbers)
    answers, moved = _descended(
        lambda p: slopes(p.astype("float32"), targets),
        view.predictions[numbers].astype("float64"),
        view.head.activation,
        float(targets.std()) or 1.0,
    )
    fit = _fit(answers, targets, moved, view.head.is_probability)
    return WantedAnswers(length, fit) if fit is not None and np.isfinite(fit) else None


def _descended(
    slope_at: Any, predictions: np.ndarray, activation: str, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """`(answers, moved)` after steps of the sign of the slope, each of its own length.

    Probabilities are moved by their logits, so that they stay probabilities.
    """
    to_free, to_answer, chain = _coordinates(activation)
    is_free = to_answer is _same
    unit = scale if is_free else 1.0
    noise = np.random.default_rng(0).normal(size=predictions.shape)
    free = to_free(predictions).mean(0) + FIRST * unit * noise
    steps = np.full(free.shape, FIRST * unit)
    before = np.zeros(free.shape)
    moved = np.zeros(free.shape, bool)
    for _ in range(STEPS):
        answers = to_answer(free)
        slope = slope_at(answers)
        if slope is None or not np.isfinite(slope).all():
            break
        slope = chain(slope.astype("float64"), answers)
        moved |= slope != 0
        agreement = slope * before
        steps *= np.where(agreement > 0, FASTER, np.where(agreement < 0, SLOWER, 1.0))
        free = free - np.sign(slope) * steps
        free = free if is_free else np.clip(free, -FURTHEST, FURTHEST)
        before = slope
    return to_answer(free), moved


def _coordinates(activation: str) -> tuple[Any, Any, Any]:
    """Functions to free numbers, back to answers, and of a slope to that of these."""
    if activation == "softmax":
        return _log, _softmax, lambda g, p: p * (g - (g * p).sum(-1, keepdims=True))
    if activation == "sigmoid":
        return _logit, _sigmoid, lambda g, p: g * p * (1 - p)
    return _same, _same, lambda g, p: g


def _same(values: np.ndarray) -> np.ndarray:
    return values


def _log(p: np.ndarray) -> np.ndarray:
    return np.log(np.clip(p, 1e-7, 1))


def _softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return np.log(p) - np.log1p(-p)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def _fit(
    answers: np.ndarray, targets: np.ndarray, moved: np.ndarray, is_probability: bool
) -> float | None:
    """How well answers fit targets; None where they are of another kind."""
    if targets.size == answers.size:
        targets = targets.reshape(answers.shape)
        return _fit_of_numbers(answers, targets, moved, is_probability)
    units = answers.shape[-1]
    if targets.size * units != answers.size or targets.dtype.kind == "b":
        return None
    ids = targets.ravel()
    counts = moved.reshape(-1, units).any(1) & (ids >= 0) & (ids < units)
    counts &= ids == np.round(ids)
    if counts.sum() < FEWEST:
        return None
    ids = ids[counts].astype(int)
    most = np.bincount(ids).max() / len(ids)
    right = np.mean(answers.reshape(-1, units)[counts].argmax(1) == ids)
    return None if most == 1 else float((right - most) / (1 - most))


def _fit_of_numbers(answers, targets, moved, is_probability):
    t, p = targets[moved].astype("float64"), answers[moved]
    if len(t) < FEWEST or not t.std() or not np.isfinite(t).all():
        return None
    sums = targets.sum(-1) if targets.ndim > 1 and targets.shape[-1] > 1 else None
    is_share = sums is not None and np.abs(sums - 1).max() < SUMS_TO_ONE
    if is_share and targets.min() >= 0:
        return float(1 - ((p - t) ** 2).mean() / t.var())
    correlation = float(np.corrcoef(p, t)[0, 1]) if p.std() else 0.0
    is_distance = len(np.unique(t)) == 2 and not is_probability
    return abs(correlation) if is_distance else correlation
