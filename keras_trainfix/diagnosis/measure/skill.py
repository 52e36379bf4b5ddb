"""The best constant answer for a target, and how far a model is beyond it.

Pure NumPy in float64: the verdict on a model compares its predictions with these, and
never looks at a loss alone.
"""

from typing import NamedTuple

import numpy as np

from keras_trainfix.diagnosis.measure.eval_pairs import read

SMALLEST = 1e-7  # probability, as in Keras
MOST_RANKED = 2**17  # numbers that are sorted
MOST_COLUMNS = 64  # of a regression that are ranked


class Constant(NamedTuple):
    """The best constant answer.

    Attributes:
        answer: Array, one number a column: the mean, or the prior of each class.
        median: Array, the median of each column; None for classes.
        majority: Integer, the class that occurs most; None for regression.
        loss: Float: the loss of `answer`, mean squared error or cross-entropy.
        accuracy: Float: the share of the class that occurs most; None for regression.
    """

    answer: np.ndarray
    median: np.ndarray | None
    majority: int | None
    loss: float
    accuracy: float | None


class ConstantMask(NamedTuple):
    """What a mask gets that says the same class everywhere.

    Attributes:
        label: Integer, the class.
        accuracy: Share of the pixels.
        iou: Intersection over union of the class; 0 if it does not occur.
        mean_iou: The mean over the classes that occur.
    """

    label: int
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
        accuracy: Share of right classes; None for regression.
        balanced_accuracy: Mean over the classes that occur; None for regression.
        majority_accuracy: What always answering the commonest class gets; or None.
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
    def value(self):
        """`1 - loss / constant_loss`: 1 is perfect, 0 no better; NaN of one class."""
        if not self.constant_loss or self.has_one_class:
            return float("nan")
        return 1 - self.loss / self.constant_loss

    @property
    def is_lost(self):
        """Whether the loss is more than twice that of the best constant."""
        return self.value < -1

    @property
    def has_one_class(self):
        """Whether the samples have one class, so that scores of them say nothing."""
        return self.kind == "classes" and self.classes_present < 2

    @property
    def never_predicted(self):
        """The classes that occur and are never predicted."""
        if self.kind != "classes":
            return []
        pairs = zip(self.present or [], self.predicted or [], strict=True)
        return [i for i, (is_there, said) in enumerate(pairs) if is_there and not said]

    @property
    def classes_present(self):
        """How many classes occur."""
        return sum(share > 0 for share in self.present or [])

    @property
    def classes_predicted(self):
        """The classes that are predicted."""
        return [i for i, share in enumerate(self.predicted or []) if share]


def score_of(view):
    """The `SkillScore` of an output.

    Args:
        view: `OutputView`.

    Returns:
        `SkillScore`, or None where predictions and targets cannot be compared: no
        targets, shapes or labels that do not fit, only void, or numbers that are not
        finite.
    """
    answers = read(view)
    return None if answers is None else score(answers)


def score(answers):
    """The `SkillScore` of `EvalPairs`."""
    kind, predictions, targets = answers
    constant = best_constant(answers)
    moments = targets.std(0), predictions.std(0)
    varies = moments[0] > 0
    ratio = np.nan
    if varies.any():
        ratio = np.sqrt(np.mean((moments[1][varies] / moments[0][varies]) ** 2))
    errors, variance = ((predictions - targets) ** 2).mean(0), moments[0] ** 2
    r2 = 1 - errors.sum() / variance.sum() if varies.any() else np.nan
    common = {"kind": kind, "samples": len(targets), "std_ratio": float(ratio)}
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
        right, said = targets.argmax(1), predictions.argmax(1)
        classes = predictions.shape[1]
        present = np.bincount(right, minlength=classes) / len(right)
        predicted = np.bincount(said, minlength=classes) / len(said)
        is_right = right == said
        recalls = [is_right[right == i].mean() for i in np.flatnonzero(present)]
        masks = [right == i for i in range(classes)]
    else:
        masks = list((targets > 0.5).T)
        present, predicted = (targets > 0.5).mean(0), (predictions > 0.5).mean(0)
        is_right = (targets > 0.5) == (predictions > 0.5)
        recalls = [is_right[targets > 0.5].mean()] if (targets > 0.5).any() else [1.0]
    some = _sampled(len(targets))
    auc, is_ranked = [], False
    for mask, score in zip(masks, predictions.T, strict=True):
        mask, score = mask[some], score[some]
        area = area_under_curve(score, mask)
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
        accuracy=float(is_right.mean()),
        balanced_accuracy=float(np.mean(recalls)),
        majority_accuracy=constant.accuracy,
        present=present.tolist(),
        predicted=predicted.tolist(),
        loss=cross_entropy(kind, predictions, targets),
    )


def best_constant(answers):
    """The `Constant` that fits the targets of `EvalPairs` best.

    Args:
        answers: `EvalPairs`.

    Returns:
        `Constant`: the mean, with its mean squared error, and the median; or the share
        of each class, with its cross-entropy, and the class that occurs most.

    Examples:
        >>> from keras_trainfix.diagnosis.measure.eval_pairs import Answers
        >>> numbers = np.array([[0.0], [1.0], [5.0]])
        >>> best = best_constant(Answers("regression", numbers, numbers))
        >>> float(best.answer[0]), float(best.median[0])
        (2.0, 1.0)
    """
    kind, _, targets = answers
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


def constant_masks(present):
    """What each constant mask gets, all background and all foreground among them.

    Args:
        present: Share of the pixels of each class.

    Returns:
        List of `ConstantMask`, one a class.

    Examples:
        >>> [round(mask.mean_iou, 2) for mask in constant_masks([0.6, 0.4])]
        [0.3, 0.2]
    """
    occurring = sum(share > 0 for share in present)
    return [
        ConstantMask(i, float(share), float(share), float(share / max(1, occurring)))
        for i, share in enumerate(present)
    ]


def cross_entropy(kind, probabilities, targets):
    """Mean cross-entropy of `"classes"`, binary cross-entropy of `"multi_label"`."""
    likely = np.clip(probabilities, SMALLEST, 1 - SMALLEST)
    if kind == "classes":
        # Adds nothing where a share is 0, so that the best constant is the prior.
        return float(-(targets * np.log(likely)).sum(1).mean())
    terms = targets * np.log(likely) + (1 - targets) * np.log(1 - likely)
    return float(-terms.mean())


def rank_correlation(predictions, targets):
    """Spearman's rank correlation, ties by their mean rank; 0 if one is constant."""
    a, b = _ranks(_rounded(predictions)), _ranks(targets)
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / size) if size else 0.0


def area_under_curve(scores, is_positive):
    """Area under the ROC curve: 0.5 for scores that say nothing; NaN without both."""
    positive = int(is_positive.sum())
    negative = len(scores) - positive
    if not positive or not negative:
        return float("nan")
    total = _ranks(_rounded(scores))[is_positive].sum()
    return float((total - positive * (positive + 1) / 2) / (positive * negative))


def _rounded(values):
    """Without what is only rounding of float32."""
    largest = np.abs(values).max(initial=0)
    return np.round(values / (largest * 1e-6)) if largest else values


def _ranks(values):
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _evenly(length, most):
    return np.unique(np.linspace(0, max(0, length - 1), min(length, most)).astype(int))


def _sampled(length):
    """Places without the period that the columns of images would have."""
    if length <= MOST_RANKED:
        return slice(None)
    return np.random.default_rng(0).choice(length, MOST_RANKED, replace=False)
