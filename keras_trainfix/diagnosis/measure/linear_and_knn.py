"""Simple learners, each a matrix that turns targets into predictions of others."""

from typing import NamedTuple

import numpy as np


class Learner(NamedTuple):
    """What a simple learner gets.

    Attributes:
        skill: Coefficient of determination on held-out rows (for classes, of
            probabilities against 0 and 1): 0 is no better than a constant.
        error: Standard error of `skill`.
        fitted: The same on the rows it was fitted on.
        accuracy: Share of right classes on held-out rows; None for regression.
    """

    skill: float
    error: float
    fitted: float
    accuracy: float | None


def ridge(similarity, penalty, group):
    """The matrices of a ridge regression, for fitted and for held-out rows.

    Args:
        similarity: Array `(n, n)`, centred.
        penalty: Float.
        group: Integer, rows of a sample: they are held out together.

    Returns:
        `(fitted, held_out)`, arrays `(n, n)`.
    """
    one = np.eye(len(similarity))
    fitted = one - penalty * np.linalg.inv(similarity + penalty * one)
    fitted += 1 / len(fitted)  # the mean
    return fitted, _held_out(fitted, group)


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


def nearest(similarity, number, group):
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


def mean_of_others(length, group):
    """The matrix that answers with the mean of the other samples."""
    sample = np.arange(length) // group
    others = sample != sample[:, None]
    return others / others.sum(1, keepdims=True)


class Scores(NamedTuple):
    """Turns the matrices of a learner into a `Learner`."""

    kind: str
    targets: np.ndarray
    mean: np.ndarray
    counted: np.ndarray
    constant: np.ndarray
    group: int

    def best(self, learners):
        """Of learners of a family the one that is best on held-out rows."""
        return max((self.of(*learner) for learner in learners), key=lambda s: s.skill)

    def of(self, fitted, held_out):
        """The `Learner` of matrices for fitted (or None) and for held-out rows."""
        answers = held_out @ self.targets
        base = self._errors(self.constant @ self.targets)
        errors = self._errors(answers)
        left = errors.sum() / base.sum()
        # Of a ratio, by samples: the rows of one are not independent.
        spread = (errors - left * base).std() / base.mean() / np.sqrt(len(base))
        on_fitted = 1.0
        if fitted is not None:
            missed = self._errors(fitted @ self.targets).sum()
            on_fitted -= missed / self._errors(0.0).sum()
        return Learner(
            float(1 - left), float(spread), float(on_fitted), self._accuracy(answers)
        )

    def _errors(self, answers):
        """Sums of squared errors, one a sample."""
        errors = ((self.targets - answers) ** 2).sum(1) * self.counted
        return errors.reshape(-1, self.group).sum(1)

    def _accuracy(self, answers):
        said, right = answers + self.mean, self.targets + self.mean
        if self.kind == "classes":
            hits = said.argmax(1) == right.argmax(1)
        elif self.kind == "multi_label":
            hits = (said > 0.5) == (right > 0.5)
        else:
            return None
        return float(hits[self.counted].mean())
