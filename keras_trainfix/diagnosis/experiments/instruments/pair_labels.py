"""Does the loss draw pairs of inputs together that their labels hold apart?"""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.backend import no_gradient, to_numpy
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.measure.kernels import all_finite
from keras_trainfix.diagnosis.measure.skill import area_under_curve
from keras_trainfix.diagnosis.observe.layer_outputs import as_numpy, unchanged
from keras_trainfix.diagnosis.observe.loss import losses_of
from keras_trainfix.diagnosis.observe.loss_value import value_of

FEWEST = 24  # pairs, and a third as many of each label
STEP = 1e-2  # of the spread of the answers
SAME = 1e-4  # of the spread: answers for a sample beside itself
SURE = 5.0  # standard errors of the area under the curve


class PairLabels(NamedTuple):
    """Two labels of pairs, and what the loss wants of them.

    Attributes:
        drawn: The label whose pairs the loss draws together.
        apart: The other one.
        area: Area under the curve by which pairs of `drawn` are nearer to each other
            in the inputs: 1 if all are, 0.5 for no difference, 0 if all are farther.
        error: Float, its standard error by chance.
        is_distance: Whether equal inputs give the lowest answer, or the highest.
    """

    drawn: float
    apart: float
    area: float
    error: float
    is_distance: bool

    @property
    def is_reversed(self) -> bool:
        """Whether the loss draws together what is farther apart, beyond doubt."""
        return self.area < 0.5 - SURE * self.error


@instrument("labels of pairs")
def pair_labels(snapshot: Any) -> PairLabels | None:
    """The `PairLabels` of a model of two inputs, whose answer is their distance.

    Equal inputs must give one and the same answer, the lowest or the highest of all,
    with the weights as they are and with all weights negated: then no training can make
    it anything else than a distance, or a similarity.
    """
    if len(snapshot.inputs) != 2 or len(snapshot.names) != 1:
        return None
    left, right = snapshot.inputs.values()
    view = snapshot.views()[0]
    targets, answers = view.targets, view.predictions
    is_pair = left.shape == right.shape and all_finite(left) and all_finite(right)
    if not is_pair or targets is None or targets.dtype.kind not in "biuf":
        return None
    if answers.size != len(answers) or targets.size != len(answers):
        return None
    values, counts = np.unique(targets, return_counts=True)
    if len(values) != 2 or counts.min() < FEWEST // 3 or len(answers) < FEWEST:
        return None
    side = _side_of_equal_inputs(snapshot, left, answers)
    if side == 0:
        return None
    pulls = wanted_by(losses_of(snapshot.model, snapshot.names)[0], view, values)
    if pulls is None:
        return None
    # Down to a distance of 0 is together; for a similarity it is up.
    together = [pull * side < 0 for pull in pulls]
    if together[0] == together[1]:
        return None
    drawn, apart = values if together[0] else values[::-1]
    far = np.abs(left.astype("float64") - right).reshape(len(left), -1).mean(1)
    is_drawn = targets.ravel() == drawn
    area = area_under_curve(-far, is_drawn)
    return PairLabels(
        float(drawn), float(apart), area, _error(is_drawn), bool(side > 0)
    )


def wanted_by(loss: Any, view: Any, values: np.ndarray) -> list[float] | None:
    """For each label, whether the loss wants its answers higher, or lower: the sign.

    Args:
        loss: A loss as `compile` takes it.
        view: `OutputView`.
        values: Array of the labels.

    Returns:
        List of 1.0, -1.0 or 0.0, or None where the loss cannot be computed.
    """
    targets, answers = np.asarray(view.targets), view.predictions
    step = STEP * (float(answers.std()) or 1.0)
    signs = []
    for value in values:
        moved = (targets == value).reshape(answers.shape) * np.float32(step)
        higher = value_of(loss, targets, answers + moved)
        lower = value_of(loss, targets, answers - moved)
        if higher is None or lower is None:
            return None
        signs.append(float(np.sign(lower - higher)))
    return signs


def _side_of_equal_inputs(snapshot, left, answers):
    """1 if equal inputs always give the lowest answer, -1 for the highest, else 0."""
    model, x = snapshot.model, snapshot.sample.x
    same = keras.tree.pack_sequence_as(x, [left, left])
    sides = []
    with unchanged(model, weights=True), no_gradient():
        for sign in (1, -1):
            if sign < 0:
                for weight in model.trainable_variables:
                    weight.assign(-to_numpy(weight))
                answers = _answers(model, x)
            equal = _answers(model, same)
            spread = float(answers.std())
            if not spread or np.ptp(equal) > SAME * spread:
                return 0
            slack = SAME * spread
            is_lowest = bool((answers >= equal.mean() - slack).all())
            is_highest = bool((answers <= equal.mean() + slack).all())
            sides.append(int(is_lowest) - int(is_highest))
    return sides[0] if sides[0] == sides[1] else 0


def _answers(model, x):
    given = keras.tree.flatten(model(x, training=False))
    return as_numpy(given[0]).astype("float64").ravel()


def _error(is_drawn):
    """The standard error of an area under the curve by chance."""
    inside, outside = int(is_drawn.sum()), int((~is_drawn).sum())
    return float(np.sqrt((inside + outside + 1) / (12 * inside * outside)))
