"""When to raise a learning rate that a rescue has lowered, and when to take that back.

No trial shows it in time, because its batches are smaller than those of `fit`.
"""

from dataclasses import dataclass, replace
from typing import Literal

LEARNING, LEARNED = 0.9, 0.98  # skill between which longer steps save time
FALLEN = 0.1  # skill below the best since the raise that counts as harm
PATIENCE = 2  # epochs in a row with that harm


@dataclass(frozen=True)
class WarmUp:
    """The state of a lowered rate.

    Attributes:
        may_raise: Whether the rate may be raised once the model learns.
        best: Float, the best skill since it was raised; None before.
        worse: Integer, epochs in a row that were worse.
    """

    may_raise: bool = False
    best: float | None = None
    worse: int = 0


def after_epoch(
    state: WarmUp, skill: float
) -> tuple[WarmUp, Literal["raise", "take back"] | None]:
    """The next state, and what to do with the rate.

    Args:
        state: `WarmUp`.
        skill: Float, that of the weights after an epoch.

    Examples:
        >>> after_epoch(WarmUp(may_raise=True), 0.95)[1]
        'raise'
    """
    if state.best is None:
        if state.may_raise and LEARNING < skill < LEARNED:
            return WarmUp(best=skill), "raise"
        return state, None
    worse = 0 if skill > state.best - FALLEN else state.worse + 1
    if worse == PATIENCE:
        return replace(state, best=None, worse=worse), "take back"
    return replace(state, best=max(state.best, skill), worse=worse), None
