"""Whether a model has learned its task, so that a suspicious fact did no harm."""

from typing import Any

import numpy as np

LEARNED = 0.8  # skill, or balanced accuracy
TRAINED = 200  # steps
AS_GOOD = 0.8  # of the coefficient of determination of a simple learner
LEARNED_RARE = 0.5  # skill where nearly all labels are of one class
PREDICTED = 0.5  # share of a class among the predictions, of that among the labels


def has_learned(snapshot: Any) -> bool:
    """Whether every output that can be judged has nearly all the skill it can have.

    Args:
        snapshot: `Snapshot`.
    """
    skills = [skill for skill in map(skill_of, snapshot.views()) if np.isfinite(skill)]
    return bool(skills and min(skills) > LEARNED)


def skill_of(view: Any) -> float:
    """The skill of an output, by hard answers where numbers are on no common scale.

    Args:
        view: `OutputView`.

    Returns:
        Float: 0 is the best constant answer, 1 is perfect; NaN if it is not known.
    """
    hard = view.hard_answers
    if hard is not None and hard.kind != "same label":
        return hard.value
    return np.nan if view.skill is None else view.skill.value


def has_learned_the_possible(snapshot: Any) -> bool:
    """Whether a trained model has about the skill that its inputs allow.

    Args:
        snapshot: `Snapshot`.

    Returns:
        Boolean; True if `has_learned`, or if each output that can be judged is as good
        as simple learners are on held-out samples.
    """
    if snapshot.iterations < TRAINED:
        return False
    return has_learned(snapshot) or all(map(_is_as_good, snapshot.views()))


def _is_as_good(view):
    own, simple = view.skill, view.learnability
    if own is None or simple is None or not simple.is_seen:
        return False
    return bool(own.r2 >= AS_GOOD * simple.reachable)


def has_learned_classes(view: Any) -> bool:
    """Whether predictions tell all classes of an output apart, the rare ones included.

    Args:
        view: `OutputView`.

    Returns:
        Boolean; False where the samples have one class, or cannot be judged.
    """
    skill = view.skill
    if skill is None or skill.balanced_accuracy is None or skill.has_one_class:
        return False
    if skill.never_predicted:
        return False
    if skill.balanced_accuracy > LEARNED or skill.value > LEARNED_RARE:
        return True
    # Class weights spoil the probabilities, and with them the skill, not the order.
    shares = zip(skill.predicted, skill.present, strict=True)
    are_predicted = all(share >= PREDICTED * there for share, there in shares)
    return bool(view.iterations and skill.is_informative and are_predicted)
