"""When a trained model has collapsed: shared by the checks of symptoms.

The causes are found by other checks.
"""

from typing import Any

import numpy as np

from keras_trainfix.diagnosis.checks.head_and_loss.head_code import with_loss
from keras_trainfix.diagnosis.checks.optimization.preconditions import goes_on
from keras_trainfix.diagnosis.fix_code import (
    has_one_input,
    recompiled,
    with_new_weights,
)
from keras_trainfix.diagnosis.measure.aim import has_fixed_targets
from keras_trainfix.diagnosis.measure.skill import SkillScore
from keras_trainfix.models.optimizers import rate_of

TRAINED = 20  # steps after which one answer for all is a symptom
LONG = 200  # steps after which a lack of skill is
CONSTANT = 0.01  # of the standard deviation of the targets
CONFIDENTLY_WRONG = -0.5  # skill
FEW = 8  # samples
HELPS = 0.05  # of the loss, taken away by more steps
BLANK, BLANK_STEPS = 1e-4, 100  # of the standard deviation of the targets


def steps_and_skill(view: Any, least: int) -> tuple[int, Any]:
    """Steps and `SkillScore`; None for the second where there is nothing to judge."""
    steps = view.iterations
    if steps < least or len(view.predictions) < FEW or not has_fixed_targets(view):
        return steps, None
    return steps, view.skill


def is_trained(view: Any) -> bool:
    """Whether there were so many steps, and an epoch, that some skill is due."""
    epoch = view.snapshot.fit.steps_per_epoch or 0
    return view.iterations >= max(LONG, epoch) and len(view.predictions) >= FEW


def is_improving(view: Any) -> bool:
    """Whether more steps still help a trained model: in the trial, or since before."""
    if goes_on(view.snapshot) and view.trial.gain(1.0) > HELPS:
        return True
    if view.snapshot.previous is None:
        return False
    now, before = view.skill, view.snapshot.previous.views()[view.index].skill
    if now is None or before is None or not now.value < -HELPS:
        return False  # a constant answer is reached by steps that go down, too
    return bool(1 - now.value < (1 - HELPS) * (1 - before.value))


def is_named_by_another(view: Any) -> bool:
    """Whether other checks of symptoms say that there is one answer for all."""
    seen, steps = view.skill, view.iterations
    if seen is None:
        return False
    if seen.kind == "classes":
        return is_one_class(seen, steps)
    return seen.std_ratio < CONSTANT and not seen.is_informative


def is_one_class(seen: SkillScore | None, steps: int) -> bool:
    """Whether one class is predicted, by scores that do not rank the labels."""
    if seen is None or seen.kind != "classes" or seen.classes_present < 2:
        return False
    if len(seen.classes_predicted) != 1:
        return False
    if seen.std_ratio < CONSTANT:
        informs = seen.is_informative or seen.may_rank
        blind = not informs or is_blank(seen, steps)
        return blind or seen.value < CONFIDENTLY_WRONG
    # Scores that vary may become informative in the first steps. Two samples of a class
    # are too few to show that the scores do not separate them.
    if seen.is_informative or seen.may_rank:
        return False
    return steps >= LONG and _second(seen) >= 3


def is_blank(seen: SkillScore, steps: int) -> bool:
    """Whether predictions are so similar that their order means nothing."""
    return steps >= BLANK_STEPS and seen.std_ratio < BLANK


def _second(seen):
    """How many rows the second most frequent class has."""
    return round(sorted(seen.present)[-2] * seen.samples)


def described_areas(seen: SkillScore) -> str:
    """How well the scores tell the classes apart, in words."""
    areas = [area for area in seen.auc or [] if np.isfinite(area)]
    return f"area under the curve {np.mean(areas):.2f}" if areas else "no ranks"


def class_evidence(seen: SkillScore, steps: int) -> dict[str, Any]:
    """The evidence of a classifier that predicts one class."""
    return {
        "std_ratio": seen.std_ratio,
        "accuracy": seen.accuracy,
        "majority_accuracy": seen.majority_accuracy,
        "balanced_accuracy": seen.balanced_accuracy,
        "skill": float(seen.value),
        "iterations": steps,
    }


def from_the_start(view: Any, loss: str = "", scale: bool = True) -> str:
    """Code that trains a model again, from new weights and with shorter steps.

    Args:
        view: `OutputView`.
        loss: String, the expression of another loss; the present one by default.
        scale: Whether inputs on another scale than layers expect are standardized.
    """
    model = view.model
    lines = ["# first repair the causes in this diagnosis; if it names none:"]
    if scale and _is_off_scale(view):
        lines.append("x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-7)")
    lines.append(with_new_weights(model))
    change, rate = "\n".join(lines), rate_of(model.optimizer) / 10
    if loss:
        return with_loss(view, loss, first=change, rate=rate)
    return recompiled(model, change, rate=rate)


def _is_off_scale(view):
    """Whether the only input is numbers far from mean 0 and variance 1."""
    x = next(iter(view.inputs.values()))
    if not has_one_input(view.snapshot) or x.dtype.kind not in "fiu":
        return False
    spread = float(x.std(dtype="float64"))
    mean = abs(float(x.mean(dtype="float64")))
    return not 0.1 < spread < 10 or mean > 3 * spread
