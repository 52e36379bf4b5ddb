"""What a few predictions show, judged by their skill scores alone."""

from collections.abc import Iterable
from typing import NamedTuple

from keras_trainfix.diagnosis.measure.skill import SkillScore

# Standard deviation of the predictions over that of the targets:
LITTLE = 0.1
NOTHING = 1e-3
TRAINED = 20  # steps after which little variation is suspicious
DUE = 100  # steps after which some skill is due
NO_SKILL = 0.02
WORSE = 10  # times the first loss at which a model counts as lost


class QuickCheck(NamedTuple):
    """What a few predictions show.

    Attributes:
        std_ratio: Standard deviation of the predictions over that of the targets, the
            least of all outputs; NaN if unknown.
        skill: `1 - loss / loss of the best constant`, the least of all outputs.
        is_suspicious: Whether a full check is due.
        is_lost: Whether skill is due and missing, or less than it was.
        is_dying: Whether most units of a layer have died, and there is no skill.
    """

    std_ratio: float
    skill: float
    is_suspicious: bool
    is_lost: bool
    is_dying: bool = False


def judge(
    scores: Iterable[SkillScore | None],
    is_broken: bool,
    steps: int,
    first_skill: float = float("nan"),
) -> QuickCheck:
    """The `QuickCheck` of the skill scores of all outputs.

    Args:
        scores: `SkillScore` of each output; None where it has none.
        is_broken: Whether a prediction is not finite.
        steps: Integer, steps so far.
        first_skill: Float, the skill before the first step.
    """
    known = [score for score in scores if score is not None and not score.has_one_class]
    ratio = min((score.std_ratio for score in known), default=float("nan"))
    skill = min((score.value for score in known), default=float("nan"))
    has_one_answer = any(
        len(score.classes_predicted) == 1 for score in known if score.kind == "classes"
    )
    is_lost = steps >= DUE and skill < NO_SKILL
    if steps >= TRAINED:
        is_lost |= skill < 0 and 1 - skill > WORSE * (1 - first_skill)
        is_lost |= ratio < NOTHING
    is_due = steps >= TRAINED and (ratio < LITTLE or has_one_answer)
    is_suspicious = is_broken or ratio < NOTHING or is_due or is_lost
    return QuickCheck(float(ratio), float(skill), bool(is_suspicious), bool(is_lost))
