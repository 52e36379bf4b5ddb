"""Where a training stands, and when the next look at it is due.

The work of the detector is counted in steps of the training and never in seconds, so
that what it says does not depend on the machine.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from keras_trainfix.callbacks.collapse.prices import Prices

FIRST_CHECK = 4  # steps until the first quick check
SHARE = 0.02  # of the training, which looks may cost
# A check at the end of an epoch needs a share of all steps more than the last one:
NEXT, NEXT_OF_RESCUED = 1 / 4, 1 / 32
FEWEST, MOST = FIRST_CHECK, 200  # within these bounds
SAME = 2  # times the steps, until the same symptoms are examined again
LONG_FIT = 20  # steps of a `fit` that is no mere part of a training
LONG = 200  # steps of a training that should show some skill


class Settings(NamedTuple):
    """The arguments of `CollapseDetector` that decisions depend on.

    Attributes:
        action: `"warn"`, `"stop"`, `"raise"` or `"rescue"`.
        patience: Integer, suspicious checks in a row before a cause is looked for.
        check_every: Integer, steps between quick checks, or `"auto"`.
        max_rescues: Integer.
        prices: `Prices` of looks at this model.
    """

    action: str = "warn"
    patience: int = 2
    check_every: int | str = "auto"
    max_rescues: int = 3
    prices: Prices = Prices()


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
        looked_at: Integer, the step of the last look for symptoms.
        examinations: Integer, how many there were.
        examined_at: Integer, the step of the last one.
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
    looked_at: int = 0
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

    @property
    def is_short(self) -> bool:
        """Whether this `fit` has one epoch, so that more of them are to be expected."""
        return self.epoch <= self.first_epoch

    @property
    def is_overdue(self) -> bool:
        """Whether the last examination was too early to expect skill, and it is not."""
        return self.examined_at - self.started_at < LONG <= self.steps


def next_check_within(settings: Settings, state: State) -> float:
    """The step after which a quick check is due within an epoch; infinite for none."""
    is_early = settings.check_every != "auto" or state.epoch <= state.first_epoch
    return state.started_at + state.next_check if is_early else math.inf


def is_epoch_check_due(settings: Settings, state: State, is_last: bool) -> bool:
    """Whether a quick check is due at the end of an epoch.

    Args:
        settings: `Settings`.
        state: `State`.
        is_last: Whether it is the last epoch of this `fit`.
    """
    since = state.step - state.checked_at
    paid = settings.prices.quick_check / SHARE
    if state.is_series:
        return state.steps >= state.next_check or since >= max(MOST, paid)
    if settings.action == "rescue":  # before and after which rates are watched closely
        return is_last or since >= _between(state.steps * NEXT_OF_RESCUED, MOST)
    return is_last or since >= _between(state.steps * NEXT, paid)


def is_look_due(settings: Settings, state: State) -> bool:
    """Whether to look for symptoms where a quick check is suspicious.

    Always where something may be done about them. Otherwise each time the steps have
    doubled, for what cannot be undone, and once all checks may follow.
    """
    if settings.action != "warn" or state.step >= 2 * state.looked_at:
        return True
    is_paid = state.step - state.looked_at >= settings.prices.look / SHARE
    return is_paid and may_examine(settings, state)


def may_examine(settings: Settings, state: State) -> bool:
    """Whether all checks may run in the middle of a `fit`.

    Always where something may be done. The first time they may take as long as the
    steps so far, or up to 200 steps, and once more where that was too early to expect
    skill; then their share of the steps since.
    """
    if settings.action != "warn" or is_paid(settings, state):
        return True
    if not state.examinations:
        return state.steps >= min(settings.prices.examination, LONG)
    return state.is_overdue


def is_paid(settings: Settings, state: State) -> bool:
    """Whether an examination is a small share of the steps since the last one."""
    since = state.step - state.examined_at
    return since * SHARE >= settings.prices.examination


def is_skill_due(state: State, ends_epoch: bool) -> bool:
    """Whether a training without skill is due for its examination.

    Args:
        state: `State`.
        ends_epoch: Whether an epoch ends.
    """
    is_epoch_over = ends_epoch or state.epoch > state.first_epoch
    is_long = state.steps >= LONG and is_epoch_over
    return is_long and not state.is_searched and not state.is_series


def is_examination_due(settings: Settings, state: State) -> bool:
    """Whether a full examination is due at the end of a `fit` without success.

    Always at the end of a first or long one; a series of short ones is examined as one
    training.
    """
    if not state.examinations:
        return state.fit_steps >= LONG_FIT or state.steps >= LONG or not state.is_short
    if not state.fit_from:
        return state.step > state.examined_at
    if state.step < 2 * state.examined_at:
        return False
    is_second = state.examinations == 1 and not state.is_short
    is_whole = is_second or state.fit_steps >= LONG
    return is_whole or state.is_overdue or is_paid(settings, state)


def is_known(state: State, codes: frozenset[str]) -> bool:
    """Whether the same symptoms were examined, and nothing new can be expected.

    Args:
        state: `State`.
        codes: Those of the symptoms that were found.
    """
    before = state.examined_at - state.started_at
    is_soon = state.steps < SAME * before and not before < LONG <= state.steps
    return codes == state.examined and is_soon


def _between(steps, most):
    """A number of steps within bounds."""
    return max(FEWEST, min(steps, most))
