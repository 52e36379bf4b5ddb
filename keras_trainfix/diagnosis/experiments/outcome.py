"""What a run on the bench reached, by the task's own measure and by the loss."""

from typing import NamedTuple

import numpy as np

from keras_trainfix.diagnosis.measure.skill import SkillScore

LOWEST = -1.0  # a worse skill counts as this


class Outcome(NamedTuple):
    """What a run reached on samples that it did not step on.

    Attributes:
        skill: Float, by the task's own measure, the mean over the outputs; NaN where
            predictions and targets cannot be compared.
        loss_skill: Float, how much larger the loss is with permuted targets, as a share
            of that; NaN where there is no loss.
        half: Float, `skill` (or `loss_skill`) after half of the steps.
        losses: Array of the loss of each step.
        loss: Float, the loss of the samples that it did not step on; NaN if it is not
            finite.
        elsewhere: Float, the skill on the validation data of `fit`; NaN without any.
        trained: Float, the skill on samples that it stepped on; NaN for a treatment.
    """

    skill: float
    loss_skill: float
    half: float
    losses: np.ndarray
    loss: float = float("nan")
    elsewhere: float = float("nan")
    trained: float = float("nan")

    @property
    def value(self) -> float:
        """The skill to go by: the task's own where there is one."""
        value = self.skill if np.isfinite(self.skill) else self.loss_skill
        return float(value) if np.isfinite(value) else LOWEST

    @property
    def climb(self) -> float:
        """How much the second half of the steps has added."""
        return self.value - self.half


def task_skill(scores: list[SkillScore | None]) -> float:
    """The mean skill of several outputs; NaN if none can be judged.

    Of classes it is the mean of how well the scores rank the samples and of how many
    of each class are right: class weights move one and not the other.

    Args:
        scores: `SkillScore` of each output, or None.
    """
    values = [_skill(score) for score in scores if score is not None]
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _skill(score: SkillScore) -> float:
    if score.kind == "regression":
        return float(np.clip(score.value, LOWEST, 1))
    areas = [2 * area - 1 for area in score.auc or [] if np.isfinite(area)]
    if not areas or score.balanced_accuracy is None:
        return float("nan")
    hard = _beyond_chance(score)
    return float((np.mean(areas) + hard) / 2)


def _beyond_chance(score: SkillScore) -> float:
    chance = 1 / max(2, score.classes_present) if score.kind == "classes" else 0.5
    return ((score.balanced_accuracy or 0.0) - chance) / (1 - chance)


def gain(treated: Outcome, control: Outcome) -> float:
    """By how much a run is better than the control.

    By the task's own measure, in which a run that is not finite has the lowest skill;
    by the loss where that measure is missing, or the lowest in both, as of distances.

    Args:
        treated: `Outcome`.
        control: `Outcome`.
    """
    skills = [_cut(treated.skill), _cut(control.skill)]
    losses = [_cut(treated.loss_skill), _cut(control.loss_skill)]
    is_judged = any(map(np.isfinite, (treated.skill, control.skill)))
    one, other = skills if is_judged and max(skills) > LOWEST else losses
    return one - other


def _cut(skill: float) -> float:
    return float(np.clip(skill, LOWEST, 1)) if np.isfinite(skill) else LOWEST
