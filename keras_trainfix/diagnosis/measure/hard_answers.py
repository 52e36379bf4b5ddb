"""How many answers are right, where answers and targets are not the same numbers."""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.diagnosis.measure.strings import (
    best_constant_string,
    edit_distances,
    greedy_strings,
    left_aligned,
)
from keras_trainfix.diagnosis.thresholds import NO_SKILL

FEWEST = 8  # samples
SURE = 3.0  # standard errors
SAME = 1e-6  # of the spread: a distance by rounding


class HardAnswers(NamedTuple):
    """The errors of hard answers, and those of the best constant answer.

    Attributes:
        kind: `"strings"`: symbols of a CTC head, by their edit distance;
            `"own target"`: whether the target nearest to an answer is its own;
            `"same label"`: whether the nearest other answer has the same label.
        samples: Integer.
        errors: Float, errors for each symbol of the targets, or for each sample.
        constant_errors: The same for the best constant answer.
        spread: Float, the standard error of `errors - constant_errors`.
    """

    kind: str
    samples: int
    errors: float
    constant_errors: float
    spread: float

    @property
    def value(self) -> float:
        """`1 - errors / constant_errors`: 1 is perfect, 0 no better; or NaN."""
        if not self.constant_errors:
            return float("nan")
        return 1 - self.errors / self.constant_errors

    @property
    def is_absent(self) -> bool:
        """Whether the answers are no better than a constant."""
        beyond = self.constant_errors - self.errors
        return self.value <= NO_SKILL or beyond < SURE * self.spread

    @property
    def words(self) -> str:
        """What was measured, in words."""
        right, constant = 1 - self.errors, 1 - self.constant_errors
        if self.kind == "strings":
            return (
                f"{max(right, 0):.0%} of the symbols are right, with the best constant "
                f"string {max(constant, 0):.0%}"
            )
        if self.kind == "own target":
            return (
                f"the target nearest to an answer is its own for {right:.0%} of the "
                f"{self.samples} samples, with a constant answer for {constant:.0%}"
            )
        return (
            f"the nearest other answer has the same target for {right:.0%} of the "
            f"{self.samples} samples, by chance for {constant:.0%}"
        )


def hard_answers(view: Any) -> HardAnswers | None:
    """The `HardAnswers` of an output.

    Args:
        view: `OutputView`.

    Returns:
        `HardAnswers`; None for other tasks, too few samples, or numbers that are not
        finite.
    """
    y, p = view.targets, view.predictions
    if y is None or len(p) < FEWEST or len(y) != len(p) or y.dtype.kind not in "biuf":
        return None
    if not np.isfinite(p).all() or not np.isfinite(y).all():
        return None
    if view.loss.name == "ctc" and p.ndim == 3 and y.ndim == 2:
        return of_strings(p, y.astype("int64"))
    if p.ndim != 2 or p.shape[1] < 2:
        return None
    if view.loss.kind == "similarity" and y.shape == p.shape:
        return of_own_targets(p.astype("float64"), y.astype("float64"))
    if view.task == "unknown" and y.size == len(y):
        return of_same_labels(p.astype("float64"), y.ravel())
    return None


def of_strings(scores: np.ndarray, targets: np.ndarray) -> HardAnswers | None:
    """The errors of strings decoded from a CTC head.

    Args:
        scores: Array `(N, steps, symbols)`.
        targets: Integer array `(N, L)`; 0 pads.

    Returns:
        `HardAnswers`, or None if all targets are empty, or of negative ids.
    """
    if targets.min() < 0 or not targets.any():
        return None
    targets = left_aligned(targets)
    constant = np.broadcast_to(best_constant_string(targets), targets.shape)
    errors = edit_distances(greedy_strings(scores), targets)
    symbols = (targets != 0).sum() / len(targets)
    return _hard(
        "strings", errors / symbols, edit_distances(constant, targets) / symbols
    )


def of_own_targets(answers: np.ndarray, targets: np.ndarray) -> HardAnswers | None:
    """Whether the nearest of all targets, by the cosine, is that of the sample.

    Args:
        answers: Array `(N, D)`.
        targets: Array of the same shape; equal rows are one target.

    Returns:
        `HardAnswers`, or None if all targets are equal.
    """
    unique, own, counts = np.unique(
        targets, axis=0, return_inverse=True, return_counts=True
    )
    own = own.ravel()
    nearest = (_of_length_one(answers) @ _of_length_one(unique).T).argmax(1)
    if len(unique) < 2:
        return None
    return _hard("own target", nearest != own, own != counts.argmax())


def of_same_labels(answers: np.ndarray, labels: np.ndarray) -> HardAnswers | None:
    """Whether the nearest other answer has the same label; ties count in part.

    Args:
        answers: Array `(N, D)`.
        labels: Array `(N,)`; those that occur once are only neighbors.

    Returns:
        `HardAnswers`, or None with fewer than two labels that occur twice.
    """
    _, ids, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if (counts > 1).sum() < 2 or (counts > 1).sum() < len(counts) / 2:
        return None
    answers = answers - answers.mean(0)
    size = (answers**2).sum(1)
    distances = size[:, None] + size - 2 * answers @ answers.T
    np.fill_diagonal(distances, np.inf)
    least = distances.min(1, keepdims=True)
    is_nearest = distances <= least + SAME * size.mean()
    is_same = ids == ids[:, None]
    right = (is_nearest & is_same).sum(1) / is_nearest.sum(1)
    chance = (counts[ids] - 1) / (len(ids) - 1)
    judged = counts[ids] > 1
    return _hard("same label", 1 - right[judged], 1 - chance[judged])


def _hard(kind, errors, constant):
    difference = errors.astype("float64") - constant
    spread = difference.std() / np.sqrt(len(difference))
    return HardAnswers(
        kind, len(errors), float(errors.mean()), float(constant.mean()), float(spread)
    )


def _of_length_one(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
