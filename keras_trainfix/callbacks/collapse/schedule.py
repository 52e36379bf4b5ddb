"""Where a training stands, and when the next look at it is due.

The work of the detector is counted in steps of the training and never in seconds, so
that what it says does not depend on the machine.
"""

from dataclasses import dataclass
from typing import NamedTuple

FIRST_CHECK = 4  # steps until the first quick check
SHARE = 32  # a check at the end of an epoch needs 1 / SHARE more steps than the last,
FEWEST, MOST = FIRST_CHECK, 200  # within these bounds
SAME = 2  # times the steps, until the same symptoms are examined again
LONG_FIT = 20  # steps of a `fit` that is no mere part of a training
LONG = 200  # steps of a training that should show some skill
FREE = 4  # examinations at the end of a `fit`; each one after them
PAID = 15_000  # has to wait for this many steps, of which it costs 2 %


class Settings(NamedTuple):
    """The arguments of `CollapseDetector` that decisions depend on.

    Attributes:
        action: `"warn"`, `"stop"`, `"raise"` or `"rescue"`.
        patience: Integer, suspicious checks in a row before a cause is looked for.
        check_every: Integer, steps between quick checks, or `"auto"`.
        max_rescues: Integer.
    """

    action: str = "warn"
    patience: int = 2
    check_every: int | str = "auto"
    max_rescues: int = 3


@dataclass(frozen=True)
class State:
    """Where a training stands, which may take several calls of `fit`.

    Attributes:
        step: Integer, steps so far, in all calls of `fit`.
        epoch: Integer.
        started_at: Integer, the step of the beginning or of the last rescue.
        first_epoch: Integer, the epoch in which quick checks follow within the epoch;
            -1 before the first one.
        next_check: Integer, steps since the start at which the next one is due.
        cooldown_until: Integer, steps since the start before which no full check runs.
        wait: Integer, suspicious checks in a row.
        alarms: Tuple of the steps at which a collapse was reported.
        rescues: Integer, how many there were.
        fit_from: Integer, the step at which this `fit` began.
        checked_at: Integer, the step of the last quick check.
        examinations: Integer, how many there were at the end of a `fit`.
        examined_at: Integer, the step of the last one, or of one before the end.
        examined: The codes of its symptoms.
        is_searched: Whether there was an examination because skill was due.
    """

    step: int = 0
    epoch: int = 0
    started_at: int = 0
    first_epoch: int = -1
    next_check: int = FIRST_CHECK
    cooldown_until: int = 0
    wait: int = 0
    alarms: tuple[int, ...] = ()
    rescues: int = 0
    fit_from: int = 0
    checked_at: int = 0
    examinations: int = 0
    examined_at: int = 0
    examined: frozenset[str] = frozenset()
    is_searched: bool = False

    @property
    def steps(self) -> int:
        """Steps since the beginning, or since the last rescue."""
        return self.step - self.started_at

    @property
    def fit_steps(self) -> int:
        """Steps of this `fit`."""
        return self.step - self.fit_from

    @property
    def is_series(self) -> bool:
        """Whether this `fit` is one of many short ones, whose targets may move."""
        return self.fit_from > 0 and self.fit_steps < LONG_FIT


def is_check_due(settings: Settings, state: State) -> bool:
    """Whether a quick check is due after a batch."""
    is_early = settings.check_every != "auto" or state.epoch <= state.first_epoch
    return is_early and state.steps >= state.next_check


def is_epoch_check_due(state: State, is_last: bool) -> bool:
    """Whether a quick check is due at the end of an epoch.

    Args:
        state: `State`.
        is_last: Whether it is the last epoch of this `fit`.
    """
    since = state.step - state.checked_at
    if state.is_series:
        return state.steps >= state.next_check or since >= MOST
    return is_last or since >= min(max(state.steps // SHARE, FEWEST), MOST)


def is_skill_due(state: State, ends_epoch: bool) -> bool:
    """Whether a training without skill is due for its examination.

    Args:
        state: `State`.
        ends_epoch: Whether an epoch ends.
    """
    is_epoch_over = ends_epoch or state.epoch > state.first_epoch
    is_long = state.steps >= LONG and is_epoch_over
    return is_long and not state.is_searched and not state.is_series


def is_examination_due(state: State) -> bool:
    """Whether a full examination is due at the end of a `fit` without success.

    Always at the end of the first; a series of short ones is examined as one training.
    """
    if not state.examinations:
        return True
    if state.examinations >= FREE:
        return state.step - state.examined_at >= PAID
    is_long = state.fit_steps >= LONG_FIT or state.steps >= LONG
    return is_long and state.step >= 2 * state.examined_at


def is_known(state: State, codes: frozenset[str]) -> bool:
    """Whether the same symptoms were examined, and nothing new can be expected.

    Args:
        state: `State`.
        codes: Those of the symptoms that were found.
    """
    before = state.examined_at - state.started_at
    is_soon = state.steps < SAME * before and not before < LONG <= state.steps
    return codes == state.examined and is_soon
