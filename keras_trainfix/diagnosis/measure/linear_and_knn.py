"""Simple learners: each is a matrix from targets to predictions of held-out rows."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Learner(NamedTuple):
    """How well a simple learner does.

    Attributes:
        skill: Coefficient of determination on held-out rows (for classes, of
            probabilities against 0 and 1): 0 is no better than a constant.
        error: Standard error of `skill`.
        accuracy: Share of right classes on held-out rows; None for regression.
        parts: Array: for classes, the share of the rows of each that are recognized;
            otherwise the skill of each column. NaN where there is nothing to judge.
    """

    skill: float
    error: float
    accuracy: float | None
    parts: np.ndarray = np.empty(0)


def ridge(similarity: np.ndarray, penalty: float, group: int) -> np.ndarray:
    """The matrix of a ridge regression for held-out rows.

    Args:
        similarity: Array `(n, n)`, centered.
        penalty: Float.
        group: Integer, rows of one sample, which are held out together.

    Returns:
        Array `(n, n)`.
    """
    one = np.eye(len(similarity))
    fitted = one - penalty * np.linalg.inv(similarity + penalty * one)
    fitted += 1 / len(fitted)  # the mean
    return _held_out(fitted, group)


def _held_out(fitted, group):
    """The matrix that predicts each sample without its own rows."""
    count = len(fitted) // group
    blocks = fitted.reshape(count, group, count, group)
    each = np.arange(count)
    own = blocks[each, :, each, :]
    others = blocks.copy()
    others[each, :, each, :] = 0
    others = others.reshape(count, group, -1)
    rest = np.eye(group) * (1 + 1e-9) - own
    return np.linalg.solve(rest, others).reshape(fitted.shape)


def nearest(similarity: np.ndarray, number: int, group: int) -> np.ndarray:
    """The matrix of means over the nearest rows of other samples."""
    length = len(similarity)
    number = min(number, max(1, length - group))
    size = np.diag(similarity)
    distance = size - 2 * similarity + size[:, None]
    sample = np.arange(length) // group
    distance = np.where(sample == sample[:, None], np.inf, distance)
    nearest = np.argpartition(distance, number - 1, axis=1)[:, :number]
    matrix = np.zeros((length, length))
    np.put_along_axis(matrix, nearest, 1 / number, 1)
    return matrix


def mean_of_others(length: int, group: int) -> np.ndarray:
    """The matrix that predicts the mean of the other samples."""
    sample = np.arange(length) // group
    others = sample != sample[:, None]
    return others / others.sum(1, keepdims=True)


def recalls(target: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """The share of the rows of each class that are recognized; NaN without rows.

    Args:
        target: Array of class ids.
        predicted: Array of class ids.
        classes: Integer, how many there are.

    Examples:
        >>> recalls(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
        [0.5, 1.0]
    """
    there = np.bincount(target, minlength=classes).astype("float64")
    right = np.bincount(target[target == predicted], minlength=classes)
    return np.divide(right, there, out=np.full(classes, np.nan), where=there > 0)


def column_skills(
    answers: np.ndarray, targets: np.ndarray, base: np.ndarray
) -> np.ndarray:
    """The skill of each column over other answers; NaN where targets do not vary.

    Args:
        answers: Array `(n, columns)`.
        targets: Array of the same shape.
        base: Array of the same shape, the answers to compare with.

    Examples:
        >>> y = np.array([[0.0, 1.0], [2.0, 1.0]])
        >>> column_skills(y, y, np.ones((2, 2))).tolist()
        [1.0, nan]
    """
    left, whole = ((a - targets) ** 2 for a in (answers, base))
    left, whole, varies = left.sum(0), whole.sum(0), np.ptp(targets, axis=0) > 0
    share = np.divide(left, whole, out=np.full(len(whole), np.nan), where=varies)
    return 1 - share


class Scores(NamedTuple):
    """Turns the matrices of a learner into a `Learner`."""

    kind: str
    targets: np.ndarray
    mean: np.ndarray
    counted: np.ndarray
    constant: np.ndarray
    group: int

    def best(self, learners: Iterable[np.ndarray]) -> Learner:
        """The learner that does best on held-out rows."""
        return max(map(self.of, learners), key=lambda learner: learner.skill)

    def of(self, learner: np.ndarray) -> Learner:
        """The `Learner` of a matrix for held-out rows."""
        answers = learner @ self.targets
        base = self._errors(self.constant @ self.targets)
        errors = self._errors(answers)
        left = errors.sum() / base.sum()
        # The error of a ratio, by samples, because the rows of one are not independent.
        spread = (errors - left * base).std() / base.mean() / np.sqrt(len(base))
        return Learner(
            float(1 - left),
            float(spread),
            self._accuracy(answers),
            self._parts(answers),
        )

    def _parts(self, answers):
        """What each class or column gets; see `Learner`."""
        rows = self.counted
        if self.kind == "classes":
            target = (self.targets + self.mean)[rows].argmax(1)
            predicted = (answers + self.mean)[rows].argmax(1)
            return recalls(target, predicted, answers.shape[1])
        base = self.constant @ self.targets
        return column_skills(*(a[rows] for a in (answers, self.targets, base)))

    def _errors(self, answers):
        """The sum of squared errors of each sample."""
        errors = ((self.targets - answers) ** 2).sum(1) * self.counted
        return errors.reshape(-1, self.group).sum(1)

    def _accuracy(self, answers):
        predicted, target = answers + self.mean, self.targets + self.mean
        if self.kind == "classes":
            hits = predicted.argmax(1) == target.argmax(1)
        elif self.kind == "multi_label":
            hits = (predicted > 0.5) == (target > 0.5)
        else:
            return None
        return float(hits[self.counted].mean())
