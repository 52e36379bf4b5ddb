"""Where a model stands: how far its answers are from a constant, and from perfect."""

from typing import Any

import numpy as np

from keras_trainfix.data import is_text
from keras_trainfix.diagnosis.findings import Standing
from keras_trainfix.diagnosis.measure.learned import skill_of
from keras_trainfix.diagnosis.observe.variation import is_finite


def standing(snapshot: Any, checks: int) -> Standing:
    """The `Standing` of a model.

    Args:
        snapshot: `Snapshot`.
        checks: Integer, how many checks gave an answer.
    """
    worst, skill = None, float("nan")
    for view in snapshot.views():
        own = _skill_or_nan(view)
        if np.isfinite(own) and not own >= skill:
            worst, skill = view, float(own)
    score = None if worst is None else worst.skill
    is_one_of_several = worst is not None and len(worst.names) > 1
    has_optimizer = getattr(snapshot.model, "optimizer", None) is not None
    return Standing(
        skill,
        worst.name if worst is not None and is_one_of_several else None,
        bool(score is not None and score.kind != "regression" and score.is_informative),
        snapshot.iterations if has_optimizer else None,
        not snapshot.layers or all(map(is_finite, snapshot.predictions)),
        checks,
    )


def _skill_or_nan(view: Any) -> float:
    if is_text(view.targets):
        return float("nan")
    try:
        return skill_of(view)
    except Exception:  # targets that do not fit, which a check names
        return float("nan")
