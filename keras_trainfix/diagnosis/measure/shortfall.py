"""How far a trained model is from what is possible with its inputs."""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.diagnosis.measure.aim import (
    aims_at_targets,
    has_fixed_targets,
    repeats_an_input,
)
from keras_trainfix.diagnosis.measure.learnability import Learnability
from keras_trainfix.diagnosis.measure.skill import SkillScore
from keras_trainfix.diagnosis.thresholds import NO_SKILL, SHORT

FEWEST = 32  # rows
ORDERS = 0.2  # rank correlation
SEPARATES = 0.8  # area under the curve
SURE = 0.1  # of the loss, by which it differs between orders of the targets


class Shortfall(NamedTuple):
    """What a trained model lacks.

    Attributes:
        kind: `"constant"`: no better than the best constant answer; `"linear"`: far
            below a linear model; `"hard"`: the same as `"constant"`, by `HardAnswers`;
            `"loss"`: by the loss, the answers fit shuffled targets as well, and there
            is no other measure.
        skill: Float, of the model: by the task, or by the loss.
        reachable: Float, what a simple learner reaches on held-out samples, as
            coefficient of determination; None where there is none.
    """

    kind: str
    skill: float
    reachable: float | None


def shortfall(view: Any) -> Shortfall | None:
    """The `Shortfall` of an output, or None if there is none that is certain.

    Args:
        view: `OutputView`.
    """
    own = view.skill
    if own is None:
        return _on_no_scale(view)
    if own.samples < FEWEST or not np.isfinite(own.value):
        return None
    is_blank = has_no_skill(own)
    if own.value > 1 - SHORT:
        return None
    learned = view.learnability
    is_far = learned is not None and is_far_below(own, learned)
    is_far = is_far and not repeats_an_input(view)  # a bottleneck is no fault
    if not is_far and not (is_blank and _is_possible(learned)):
        return None
    if not aims_at_targets(view):
        return _on_no_scale(view)
    by_loss = view.loss_skill
    sees_more = by_loss is not None and not by_loss.is_absent and own.value > -1
    if is_blank and sees_more:
        return None  # by its own loss it has learned something
    reachable = None if learned is None else float(learned.reachable)
    if is_blank:
        return Shortfall("constant", float(own.value), reachable)
    return Shortfall("linear", own.r2, reachable)


def has_no_skill(own: SkillScore) -> bool:
    """Whether answers are no better than a constant, and do not rank the samples."""
    if not own.value <= NO_SKILL or own.is_informative:
        return False
    if own.auc is None:
        return not abs(own.correlation or 0) > ORDERS
    return not own.may_rank


def is_far_below(own: SkillScore, learned: Learnability) -> bool:
    """Whether a linear model does much better, by skill and by the order."""
    if not learned.is_seen:
        return False
    most = learned.linear.skill - 2 * learned.linear.error - SHORT
    if not own.r2 < most:
        return False
    if own.kind == "regression":
        return (own.correlation or 0) ** 2 < most
    if own.accuracy is None or learned.linear.accuracy is None:
        return False
    areas = [area for area in own.auc or [] if np.isfinite(area)]
    is_separated = bool(areas) and np.mean(areas) >= SEPARATES
    return not is_separated and own.accuracy < learned.linear.accuracy - SHORT


def _is_possible(learned):
    """Whether there is more to learn than a constant."""
    if learned is None or learned.is_seen:
        return True
    if learned.is_absent:
        return False
    # A weak signal: the constant may be nearly all there is.
    return learned.power < 0.8 or learned.reachable > 5 * NO_SKILL


def _on_no_scale(view):
    """The `Shortfall` of answers and targets that are not the same numbers."""
    hard, by_loss = view.hard_answers, view.loss_skill
    if hard is None or hard.kind == "same label" or not np.isfinite(hard.value):
        return _by_loss_alone(view)
    if hard.samples < FEWEST or not hard.is_absent or not has_fixed_targets(view):
        return None
    if by_loss is not None and not by_loss.is_absent:
        return None  # by its own loss it has learned something
    return Shortfall("hard", hard.value, None)


def _by_loss_alone(view):
    by_loss = view.loss_skill
    if by_loss is None or len(view.targets) < FEWEST:
        return None
    pairs = zip(view.predictions.shape, np.shape(view.targets), strict=False)
    is_sure = all(p == y for p, y in pairs) or view.loss.kind == "custom"
    is_sure &= by_loss.is_absent and by_loss.spread < SURE
    if not is_sure or not has_fixed_targets(view):
        return None
    return Shortfall("loss", by_loss.value, None)
