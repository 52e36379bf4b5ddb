"""The best constant answer for a target, and how far a model is beyond it.

Pure NumPy in float64. The verdict on a model rests on these, never on a loss alone.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.diagnosis.measure.eval_pairs import EvalPairs, read

SMALLEST = 1e-7  # probability, as in Keras
MOST_RANKED = 2**17  # most numbers that are sorted
MOST_COLUMNS = 64  # of a regression that are ranked
FEW_OF_CLASS = 20  # rows of the rarest class, with which the order of scores is unsure
RANKS = 0.1  # area under the curve beyond 0.5


class Constant(NamedTuple):
    """The best constant answer.

    Attributes:
        answer: Array with one number for each column: the mean, or the class prior.
        median: Array, the median of each column; None for classes.
        majority: Integer, the most frequent class; None for regression.
        loss: Float: the loss of `answer`, mean squared error or cross-entropy.
        accuracy: Float: the share of the most frequent class; None for regression.
    """

    answer: np.ndarray
    median: np.ndarray | None
    majority: int | None
    loss: float
    accuracy: float | None


class ConstantMask(NamedTuple):
    """The scores of a mask that has one class everywhere.

    Attributes:
        accuracy: Share of the pixels of the class.
        iou: Intersection over union of the class; 0 if it does not occur.
        mean_iou: The mean over the classes that occur.
    """

    accuracy: float
    iou: float
    mean_iou: float


class SkillScore(NamedTuple):
    """How predictions compare with targets, and with the best constant answer.

    A skill score is one minus the loss over that of a reference forecast (Murphy,
    1988); here the reference is the best constant answer.

    Attributes:
        kind: As in `EvalPairs`.
        samples: Integer, the rows that count.
        std_ratio: Standard deviation of the predictions over that of the targets, root
            mean square over the columns whose targets vary; NaN if none does.
        r2: Coefficient of determination of the columns together (for classes: of
            probabilities against 0 and 1).
        correlation: Rank correlation, the mean over the columns; None for classes.
        auc: How well the score of each class tells its rows from the others, area
            under the ROC curve, one a class; NaN where a class has no, or all, rows.
            None for regression.
        is_informative: Whether predictions order the samples by their targets better
            (or worse) than chance: they carry information, however small they are or
            on whichever side of a threshold.
        accuracy: Share of correct classes; None for regression.
        balanced_accuracy: Mean over the classes that occur; None for regression.
        majority_accuracy: Accuracy of always predicting the most frequent class, or
            None.
        present: Share of each class in the targets; None for regression.
        predicted: Share of each class in the predictions; None for regression.
        loss: Mean squared error, or cross-entropy.
        constant_loss: That of the best constant answer.
    """

    kind: str
    samples: int
    std_ratio: float
    r2: float
    correlation: float | None
    auc: list | None
    is_informative: bool
    accuracy: float | None
    balanced_accuracy: float | None
    majority_accuracy: float | None
    present: list | None
    predicted: list | None
    loss: float
    constant_loss: float

    @property
    def value(self) -> float:
        """`1 - loss / constant_loss`: 1 is perfect, 0 no better; NaN for one class."""
        if not self.constant_loss or self.has_one_class:
            return float("nan")
        return 1 - self.loss / self.constant_loss

    @property
    def is_lost(self) -> bool:
        """Whether the loss is more than twice that of the best constant."""
        return self.value < -1

    @property
    def has_one_class(self) -> bool:
        """Whether all samples have one class, so scores carry no information."""
        return self.kind == "classes" and self.classes_present < 2

    @property
    def may_rank(self) -> bool:
        """Whether scores seem to rank samples, with too few of a class to be sure."""
        shares = [share for share in self.present or [] if share > 0]
        if self.auc is None or not shares:
            return False
        areas = [abs(area - 0.5) for area in self.auc if np.isfinite(area)]
        is_few = min(shares) * self.samples < FEW_OF_CLASS
        return is_few and max(areas, default=0.0) > RANKS

    @property
    def never_predicted(self) -> list[int]:
        """The classes that occur and are never predicted."""
        if self.kind != "classes":
            return []
        pairs = zip(self.present or [], self.predicted or [], strict=True)
        return [
            i for i, (there, predicted) in enumerate(pairs) if there and not predicted
        ]

    @property
    def classes_present(self) -> int:
        """How many classes occur."""
        return sum(share > 0 for share in self.present or [])

    @property
    def classes_predicted(self) -> list[int]:
        """The classes that are predicted."""
        return [i for i, share in enumerate(self.predicted or []) if share]


def score_of(view: Any) -> SkillScore | None:
    """The `SkillScore` of an output.

    Args:
        view: `OutputView`.

    Returns:
        `SkillScore`, or None if predictions and targets cannot be compared: no
        targets, shapes or labels that do not fit, only void, or numbers that are not
        finite.
    """
    pairs = read(view)
    return None if pairs is None else score(pairs)


def score(pairs: EvalPairs) -> SkillScore:
    """The `SkillScore` of `EvalPairs`."""
    kind, predictions, targets = pairs
    constant = best_constant(pairs)
    moments = targets.std(0), predictions.std(0)
    varies = moments[0] > 0
    ratio = np.nan
    if varies.any():
        ratio = np.sqrt(np.mean((moments[1][varies] / moments[0][varies]) ** 2))
    errors, variance = ((predictions - targets) ** 2).mean(0), moments[0] ** 2
    r2 = 1 - errors.sum() / variance.sum() if varies.any() else np.nan
    common: dict[str, Any] = {
        "kind": kind,
        "samples": len(targets),
        "std_ratio": float(ratio),
    }
    common |= {"r2": float(r2), "constant_loss": constant.loss}
    if kind == "regression":
        used = np.flatnonzero(varies)
        used = used[_evenly(len(used), MOST_COLUMNS)]
        some = _evenly(len(targets), MOST_RANKED)
        ranks = [rank_correlation(predictions[some, i], targets[some, i]) for i in used]
        least = max(0.2, 3.5 / np.sqrt(max(1, len(some) - 1)))
        return SkillScore(
            **common,
            correlation=float(np.mean(ranks)) if ranks else float("nan"),
            auc=None,
            is_informative=any(abs(rank) > min(least, 0.9) for rank in ranks),
            accuracy=None,
            balanced_accuracy=None,
            majority_accuracy=None,
            present=None,
            predicted=None,
            loss=float(errors.mean()),
        )
    if kind == "classes":
        target, prediction = targets.argmax(1), predictions.argmax(1)
        classes = predictions.shape[1]
        present = np.bincount(target, minlength=classes) / len(target)
        predicted = np.bincount(prediction, minlength=classes) / len(prediction)
        is_correct = target == prediction
        recalls = [is_correct[target == i].mean() for i in np.flatnonzero(present)]
        masks = [target == i for i in range(classes)]
    else:
        masks = list((targets > 0.5).T)
        present, predicted = (targets > 0.5).mean(0), (predictions > 0.5).mean(0)
        is_on = targets > 0.5
        is_correct = is_on == (predictions > 0.5)
        recalls = [is_correct[is_on].mean()] if is_on.any() else [1.0]
    some = _sampled(len(targets))
    auc, is_ranked = [], False
    for mask, column in zip(masks, predictions.T, strict=True):
        mask, column = mask[some], column[some]
        area = area_under_curve(column, mask)
        auc.append(area)
        inside, outside = int(mask.sum()), int((~mask).sum())
        if min(inside, outside) >= 3:
            error = np.sqrt((inside + outside + 1) / (12 * inside * outside))
            is_ranked |= abs(area - 0.5) > min(0.4, max(0.1, 3.5 * error))
    return SkillScore(
        **common,
        correlation=None,
        auc=auc,
        is_informative=bool(is_ranked),
        accuracy=float(is_correct.mean()),
        balanced_accuracy=float(np.mean(recalls)),
        majority_accuracy=constant.accuracy,
        present=present.tolist(),
        predicted=predicted.tolist(),
        loss=cross_entropy(kind, predictions, targets),
    )


def best_constant(pairs: EvalPairs) -> Constant:
    """The `Constant` that fits the targets best.

    Args:
        pairs: `EvalPairs`.

    Returns:
        `Constant`: the mean, with its mean squared error, and the median; or the share
        of each class, with its cross-entropy, and the most frequent class.

    Examples:
        >>> from keras_trainfix.diagnosis.measure.eval_pairs import EvalPairs
        >>> numbers = np.array([[0.0], [1.0], [5.0]])
        >>> best = best_constant(EvalPairs("regression", numbers, numbers))
        >>> float(best.answer[0]), float(best.median[0])
        (2.0, 1.0)
    """
    kind, _, targets = pairs
    mean = targets.mean(0)
    if kind == "regression":
        return Constant(
            mean, np.median(targets, 0), None, float(targets.var(0).mean()), None
        )
    loss = cross_entropy(kind, np.broadcast_to(mean, targets.shape), targets)
    if kind == "classes":
        counts = np.bincount(targets.argmax(1), minlength=targets.shape[1])
        majority = int(counts.argmax())
        return Constant(mean, None, majority, loss, float(counts.max() / len(targets)))
    is_on = (targets > 0.5).mean(0)
    return Constant(mean, None, None, loss, float(np.maximum(is_on, 1 - is_on).mean()))


def constant_masks(present: Sequence[float]) -> list[ConstantMask]:
    """The scores of each constant mask, such as all background or all foreground.

    Args:
        present: Share of the pixels of each class.

    Returns:
        List of `ConstantMask`, one for each class.

    Examples:
        >>> [round(mask.mean_iou, 2) for mask in constant_masks([0.6, 0.4])]
        [0.3, 0.2]
    """
    occurring = sum(share > 0 for share in present)
    return [
        ConstantMask(float(share), float(share), float(share / max(1, occurring)))
        for share in present
    ]


def cross_entropy(kind: str, probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Mean cross-entropy of `"classes"`, binary cross-entropy of `"multi_label"`."""
    likely = np.clip(probabilities, SMALLEST, 1 - SMALLEST)
    if kind == "classes":
        # A share of 0 adds nothing, so the best constant is the prior.
        return float(-(targets * np.log(likely)).sum(1).mean())
    terms = targets * np.log(likely) + (1 - targets) * np.log(1 - likely)
    return float(-terms.mean())


def rank_correlation(predictions: np.ndarray, targets: np.ndarray) -> float:
    """Spearman's rank correlation, ties by their mean rank; 0 if one is constant."""
    a, b = _ranks(_rounded(predictions)), _ranks(targets)
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / size) if size else 0.0


def area_under_curve(scores: np.ndarray, is_positive: np.ndarray) -> float:
    """Area under the ROC curve: 0.5 for uninformative scores; NaN without both."""
    positive = int(is_positive.sum())
    negative = len(scores) - positive
    if not positive or not negative:
        return float("nan")
    total = _ranks(_rounded(scores))[is_positive].sum()
    return float((total - positive * (positive + 1) / 2) / (positive * negative))


def _rounded(values):
    """Without the rounding errors of float32."""
    largest = np.abs(values).max(initial=0)
    return np.round(values / (largest * 1e-6)) if largest else values


def _ranks(values):
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _evenly(length, most):
    return np.unique(np.linspace(0, max(0, length - 1), min(length, most)).astype(int))


def _sampled(length):
    """Random places, because evenly spaced ones may hit the same image columns."""
    if length <= MOST_RANKED:
        return slice(None)
    return np.random.default_rng(0).choice(length, MOST_RANKED, replace=False)
