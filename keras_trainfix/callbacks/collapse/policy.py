"""When to check a model in training, and what to do about what was found.

Pure decisions: `decide` maps a state and an event to the next state and an action. It
sees neither a model nor a diagnosis, only what was established about them.
"""

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

FIRST_CHECK = 4  # steps until the first quick check
GROWTH = 2.0  # from one quick check of the first epoch to the next
COOLDOWN = 1.5  # times the steps so far, without a full check after a false alarm
RECOVERED = 128  # steps after which a rescue should have had an effect
LEARNED = 0.8  # skill of a training that has not failed, whatever else was found
HEALTHY = 0.3  # skill below which a training has failed


class Action(Enum):
    """What is to be done next."""

    CONTINUE = "continue training"
    LOOK_FOR_SYMPTOMS = "run the checks of symptoms"
    FIND_CAUSE = "run all checks, with a trial"
    REPORT = "warn"
    STOP = "warn, and stop training"
    RAISE = "raise an error"
    RESCUE = "apply the remedy of the cause"
    SPEED_UP = "raise the learning rate"
    RECALIBRATE = "recalibrate the statistics of batch normalization"
    KEEP = "keep the diagnosis without a warning"


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
    """Where a training stands; steps are those of the optimizer in this `fit`.

    Attributes:
        step: Integer, steps so far.
        epoch: Integer.
        started_at: Integer, the step of the beginning or of the last rescue.
        first_epoch: Integer, the epoch in which quick checks follow within the epoch;
            -1 before the first one.
        next_check: Integer, steps since the start at which the next one is due.
        cooldown_until: Integer, steps since the start before which no full check runs.
        wait: Integer, suspicious checks in a row.
        alarms: Tuple of the steps at which a collapse was reported.
        rescues: Integer, how many there were.
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

    @property
    def steps(self) -> int:
        """Steps since the beginning, or since the last rescue."""
        return self.step - self.started_at


class EpochBegan(NamedTuple):
    """An epoch begins."""

    epoch: int


class StepEnded(NamedTuple):
    """A batch ends; `step` counts all batches of this `fit`."""

    step: int


class QuickChecked(NamedTuple):
    """A quick check was made."""

    is_suspicious: bool


class SymptomsSeen(NamedTuple):
    """The checks of symptoms ran.

    Attributes:
        has_collapsed: Whether the model gives no answer.
        is_lost: Whether skill is due and missing, or less than it was.
        is_irreversible: Whether no further step can change that.
    """

    has_collapsed: bool
    is_lost: bool
    is_irreversible: bool


class CauseSought(NamedTuple):
    """All checks ran, with a trial.

    Attributes:
        has_collapsed: As in `SymptomsSeen`.
        is_named: Whether a finding says why there is no skill.
        may_pass: Whether more steps may be all it takes.
        is_irreversible: Whether no further step can change it.
        counts: Whether a finding is among the `causes` that were asked for.
        was_sped_up: Whether the last rescue raised the learning rate.
        does_no_harm: Whether the steps of the trial at the present rate went down.
        has_higher_rate: Whether a higher rate did better in the trial.
    """

    has_collapsed: bool
    is_named: bool
    may_pass: bool = False
    is_irreversible: bool = False
    counts: bool = True
    was_sped_up: bool = False
    does_no_harm: bool = False
    has_higher_rate: bool = False


class CollapseNamed(NamedTuple):
    """A collapse is certain; `has_remedy`: there is one that `fit` may apply."""

    has_remedy: bool


class Rescued(NamedTuple):
    """A rescue was made."""


class TrainingEnded(NamedTuple):
    """`fit` ends; `skill` is that of the last quick check."""

    skill: float


class EndExamined(NamedTuple):
    """All checks ran at the end of `fit`.

    Attributes:
        skill: Float, that of the last quick check.
        counts: Whether a finding is among the `causes` that were asked for.
        is_ok: Whether there is no finding above a note.
        has_error: Whether there is an error.
        has_one_class: Whether all samples have one class.
        names_cause: Whether there is more than symptoms.
        is_collapse: Whether the model gives no answer.
        explains_as_note: Whether a mere note is reason enough for a failure.
        is_growing: Whether skill was still growing.
        may_pass: Whether more steps may be all it takes.
        has_gap: Whether statistics of batch normalization lag behind.
        is_recalibrated: Whether recalibrating them was tried, and helped; None before.
        was_reported: Whether there was a warning before the first step.
    """

    skill: float
    counts: bool = True
    is_ok: bool = False
    has_error: bool = False
    has_one_class: bool = False
    names_cause: bool = False
    is_collapse: bool = False
    explains_as_note: bool = False
    is_growing: bool = False
    may_pass: bool = False
    has_gap: bool = False
    is_recalibrated: bool | None = None
    was_reported: bool = False


Event = (
    EpochBegan
    | StepEnded
    | QuickChecked
    | SymptomsSeen
    | CauseSought
    | CollapseNamed
    | Rescued
    | TrainingEnded
    | EndExamined
)


def is_check_due(settings: Settings, state: State) -> bool:
    """Whether a quick check is due after a batch; one follows each epoch anyway."""
    is_early = settings.check_every != "auto" or state.epoch <= state.first_epoch
    return is_early and state.steps >= state.next_check


def is_reported(settings: Settings, state: State) -> bool:
    """Whether a collapse was reported, and nothing more is to be done about it."""
    return bool(state.alarms) and settings.action != "rescue"


def may_rescue(settings: Settings, state: State) -> bool:
    """Whether there may be another rescue."""
    return settings.action == "rescue" and state.rescues < settings.max_rescues


def decide(settings: Settings, state: State, event: Event) -> tuple[State, Action]:
    """The next state, and what is to be done.

    Args:
        settings: `Settings`.
        state: `State`.
        event: What has happened.

    Returns:
        `(state, action)`.

    Examples:
        >>> state, action = decide(Settings(), State(step=64), QuickChecked(True))
        >>> action
        <Action.LOOK_FOR_SYMPTOMS: 'run the checks of symptoms'>
        >>> state.next_check
        128
    """
    match event:
        case EpochBegan(epoch):
            first = epoch if state.first_epoch < 0 else state.first_epoch
            return replace(state, epoch=epoch, first_epoch=first), Action.CONTINUE
        case StepEnded(step):
            return replace(state, step=step), Action.CONTINUE
        case QuickChecked():
            return _after_quick_check(settings, state, event)
        case SymptomsSeen():
            return _after_symptoms(settings, state, event)
        case CauseSought():
            return _after_search(settings, state, event)
        case CollapseNamed(has_remedy):
            return _after_naming(settings, state, has_remedy)
        case Rescued():
            return _after_rescue(state), Action.CONTINUE
        case TrainingEnded(skill):
            is_over = state.alarms or skill >= LEARNED
            return state, Action.CONTINUE if is_over else Action.FIND_CAUSE
        case EndExamined():
            return state, _at_end(settings, event)
    raise TypeError(f"`event` must be an event. Received: event={event!r}.")


def _after_quick_check(settings, state, event):
    every = settings.check_every
    step = math.ceil(state.steps * GROWTH) if every == "auto" else state.steps + every
    state = replace(state, next_check=step)
    if not event.is_suspicious:
        return replace(state, wait=0), Action.CONTINUE
    is_calm = state.steps < state.cooldown_until or is_reported(settings, state)
    return state, Action.CONTINUE if is_calm else Action.LOOK_FOR_SYMPTOMS


def _after_symptoms(settings, state, event):
    if not event.has_collapsed and not event.is_lost:
        return _cooled_down(state), Action.CONTINUE
    state = replace(state, wait=state.wait + 1)
    if state.wait < settings.patience and not event.is_irreversible:
        soon = state.steps + max(2, state.steps // 8)
        return replace(state, next_check=soon), Action.CONTINUE
    return state, Action.FIND_CAUSE


def _after_search(settings, state, event):
    is_soon = state.steps < RECOVERED
    was_slowed = state.rescues and not event.was_sped_up
    is_hopeless = event.is_irreversible or not event.does_no_harm
    may_recover = was_slowed and is_soon and not is_hopeless
    if event.may_pass or may_recover:
        return _cooled_down(state), Action.CONTINUE
    if event.counts and (event.has_collapsed or event.is_named):
        return _alarmed(state), Action.REPORT
    if event.was_sped_up and may_rescue(settings, state) and event.has_higher_rate:
        return _alarmed(state), Action.SPEED_UP
    return _cooled_down(state), Action.CONTINUE


def _after_naming(settings, state, has_remedy):
    if settings.action == "raise":
        return state, Action.RAISE
    if has_remedy and may_rescue(settings, state):
        return state, Action.RESCUE
    return state, Action.REPORT if settings.action == "warn" else Action.STOP


def _after_rescue(state):
    return replace(
        state,
        started_at=state.step,
        first_epoch=state.epoch + 1,
        next_check=FIRST_CHECK,
        cooldown_until=0,
        wait=0,
        rescues=state.rescues + 1,
    )


def _at_end(settings, event):
    is_hopeless = not event.skill >= HEALTHY
    explains_as_note = is_hopeless and event.explains_as_note
    if event.has_one_class and not event.has_error:
        return Action.CONTINUE  # such samples carry no information about the training
    if not event.counts or (event.is_ok and not explains_as_note):
        return Action.CONTINUE
    if not (event.names_cause or event.is_collapse or explains_as_note):
        return Action.CONTINUE  # a class is missing, as with many that still learn
    if settings.action == "rescue" and event.has_gap and event.is_recalibrated is None:
        return Action.RECALIBRATE
    if event.is_recalibrated:
        return Action.KEEP
    is_learning = event.is_growing and not event.has_gap and not event.has_error
    if not is_hopeless and (is_learning or event.may_pass):
        return Action.CONTINUE
    if settings.action == "raise" and event.is_collapse:
        return Action.RAISE
    return Action.KEEP if event.was_reported or event.is_ok else Action.REPORT


def _cooled_down(state):
    return replace(state, wait=0, cooldown_until=int(COOLDOWN * state.steps))


def _alarmed(state):
    return replace(state, alarms=(*state.alarms, state.step))
