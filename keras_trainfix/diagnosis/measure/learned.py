"""Whether a model has learned its task, so that a suspicious fact did no harm."""

from typing import Any

import numpy as np

LEARNED = 0.8  # skill, or balanced accuracy
LEARNED_RARE = 0.5  # skill where nearly all labels are of one class
PREDICTED = 0.5  # share of a class among the predictions, of that among the labels


def has_learned(snapshot: Any) -> bool:
    """Whether every output that can be judged has nearly all the skill it can have.

    Args:
        snapshot: `Snapshot`.
    """
    skill = snapshot.least_skill
    return bool(np.isfinite(skill) and skill > LEARNED)


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
