"""Whether inputs carry information about targets: simple learners on held-out rows.

Each row is held out in turn, so each class of two or more rows is in both parts.
Each learner is a matrix that turns targets into predictions of samples it has not seen.
It does not depend on the targets, so the same targets in a random order show what
chance gives, and targets in an order that follows the inputs show what a real signal
would give.
"""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.diagnosis.measure.eval_pairs import read_rows
from keras_trainfix.diagnosis.measure.kernels import (
    Rows,
    all_finite,
    products_of,
    rows_of_places,
    rows_of_samples,
    shapes_of_ids,
)
from keras_trainfix.diagnosis.measure.linear_and_knn import (
    Learner,
    Scores,
    mean_of_others,
    nearest,
    ridge,
)
from keras_trainfix.diagnosis.measure.permutation_test import (
    BEYOND_DOUBT,
    UNSEEN,
    count_of_rarer,
    main_columns,
    orders_of_rows,
    strength_of,
    without_tails,
)
from keras_trainfix.diagnosis.measure.stratified import few_of

FEWEST, FEWEST_IMAGES = 24, 8  # samples; images with an answer at each place
ENOUGH = 8  # rows of a class
RIDGES = (0.003, 0.1, 3.0)  # penalties, where a row has similarity 1 with itself
NEIGHBORS = (3, 12)


class Learnability(NamedTuple):
    """Whether simple learners can predict the targets from the inputs.

    Attributes:
        kind: `"regression"`, `"classes"` or `"multi_label"`, as in `EvalPairs`.
        samples: Integer.
        features: Integer, the numbers of a sample that the learners use.
        linear: `Learner`: ridge regression.
        neighbours: `Learner`: the mean of the nearest neighbours.
        strength: Float, how far the best learner is from chance, in standard deviations
            of chance. A learner on squares and products of features counts as well.
        power: Share of planted signals of moderate strength that would be found; 0 if
            classes have few rows each.
        majority: Share of the class that occurs most; None for regression.
        few: String, which classes have few rows; empty if none has.
    """

    kind: str
    samples: int
    features: int
    linear: Learner
    neighbours: Learner
    strength: float
    power: float
    majority: float | None
    few: str = ""

    @property
    def is_seen(self) -> bool:
        """Whether there is a signal beyond doubt."""
        return self.strength >= BEYOND_DOUBT

    @property
    def is_absent(self) -> bool:
        """Whether nothing was found although a moderate signal would have been."""
        return self.strength < UNSEEN and self.power >= 0.8

    @property
    def parts(self) -> np.ndarray:
        """What each class or column gets from the better learner; see `Learner`."""
        return np.fmax(self.linear.parts, self.neighbours.parts)

    @property
    def reachable(self) -> float:
        """The skill that the better learner has beyond doubt."""
        learners = (self.linear, self.neighbours)
        return max(learner.skill - 2 * learner.error for learner in learners)


def learnability(view: Any) -> Learnability | None:
    """The `Learnability` of an output.

    Args:
        view: `OutputView`.

    Returns:
        `Learnability`, or None if simple learners have nothing to learn from: no or
        too few targets, numbers that are not finite, or a single class.
    """
    answers, places = read_rows(view)
    if answers is None or places is None:
        return None
    kind, _, targets = answers
    inputs = list(view.inputs.values())
    if not all(all_finite(array) for array in inputs):
        return None
    shape = () if kind == "regression" else view.labels.shape
    with np.errstate(all="ignore"):
        if int(np.prod(shape)) > 1:
            rows = rows_of_places(view, inputs, targets, places, shape)
        else:
            kept = [array[places] for array in inputs]
            rows = rows_of_samples(kept, shapes_of_ids(view), targets)
        if rows is None or not np.isfinite(rows.all).all():
            return None
        return learnability_of(kind, rows)


def learnability_of(kind: str, rows: Rows) -> Learnability | None:
    """The `Learnability` of `Rows` for a kind of targets; None for too few."""
    targets, counted = rows.targets, rows.counted
    samples = len(targets) // rows.group
    if samples < (FEWEST if rows.group == 1 else FEWEST_IMAGES):
        return None
    if not counted.any():
        return None
    mean = targets[counted].mean(0)
    targets = np.where(counted[:, None], targets - mean, 0.0)
    columns = main_columns(without_tails(targets) if kind == "regression" else targets)
    if not columns.shape[1] or count_of_rarer(kind, targets, mean) < 3:
        return None
    linear = [ridge(rows.linear, penalty, rows.group) for penalty in RIDGES]
    both = products_of(rows.all)
    products = [ridge(both, penalty, rows.group) for penalty in RIDGES[1:]]
    near = [nearest(rows.all, number, rows.group) for number in NEIGHBORS]
    constant = mean_of_others(len(targets), rows.group)
    learners = [*linear, *products, *near]
    orders = orders_of_rows(columns, rows.linear, rows.group)
    strength, power = strength_of(
        [learner - constant for learner in learners], columns, orders
    )
    scores = Scores(kind, targets, mean, counted, constant, rows.group)
    if kind == "classes" and counted.sum() < ENOUGH * np.count_nonzero(mean):
        power = 0.0
    majority, few = None, ""
    if kind == "classes":
        majority = float(mean.max())
        few = few_of(dict(enumerate(np.bincount((targets + mean)[counted].argmax(1)))))
    return Learnability(
        kind,
        samples,
        rows.features,
        scores.best(linear),
        scores.best(near),
        strength,
        power,
        majority,
        few,
    )
