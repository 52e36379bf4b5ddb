"""What to do about what was found in a training.

Pure decisions: `decide` maps a state and an event to the next state and an action. It
sees neither a model nor a diagnosis, only what was established about them.
"""

import math
from dataclasses import replace
from enum import Enum

from keras_trainfix.callbacks.collapse.events import (
    CauseSought,
    CollapseNamed,
    EndExamined,
    EpochBegan,
    Event,
    FitBegan,
    QuickChecked,
    Rescued,
    StepEnded,
    SymptomsSeen,
    TrainingEnded,
)
from keras_trainfix.callbacks.collapse.schedule import (
    FIRST_CHECK,
    Settings,
    State,
    is_examination_due,
    is_known,
    is_look_due,
    is_skill_due,
    may_examine,
)

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
        case FitBegan():
            return _after_begin(state, event), Action.CONTINUE
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
            if is_over or not is_examination_due(settings, state):
                return state, Action.CONTINUE
            return _examined(state, state.examined), Action.FIND_CAUSE
        case EndExamined():
            return state, _at_end(settings, event)
    raise TypeError(f"`event` must be an event. Received: event={event!r}.")


def _after_begin(state, event):
    state = replace(state, first_epoch=-1, fit_from=state.step)
    if not event.is_new:
        return state
    fresh = State(fit_from=state.step, started_at=state.step, step=state.step)
    return replace(
        fresh, examinations=state.examinations, examined_at=state.examined_at
    )


def _after_quick_check(settings, state, event):
    every = settings.check_every
    step = math.ceil(state.steps * GROWTH) if every == "auto" else state.steps + every
    state = replace(state, next_check=step, checked_at=state.step)
    if not event.is_suspicious:
        state = replace(state, wait=0)
        is_due = event.lacks_skill and is_skill_due(state, event.ends_epoch)
        is_due = is_due and may_examine(settings, state)
        if not is_due or is_reported(settings, state):
            return state, Action.CONTINUE
        state = replace(_examined(state, state.examined), is_searched=True)
        return state, Action.FIND_CAUSE
    is_calm = state.steps < state.cooldown_until or is_reported(settings, state)
    if is_calm or not is_look_due(settings, state):
        return state, Action.CONTINUE
    return replace(state, looked_at=state.step), Action.LOOK_FOR_SYMPTOMS


def _after_symptoms(settings, state, event):
    if not event.has_collapsed and not event.is_lost:
        return _cooled_down(state), Action.CONTINUE
    state = replace(state, wait=state.wait + 1)
    if state.wait < settings.patience and not event.is_irreversible:
        soon = state.steps + max(2, state.steps // 8)
        return replace(state, next_check=soon), Action.CONTINUE
    is_allowed = event.is_irreversible or may_examine(settings, state)
    if is_known(state, event.codes) or not is_allowed:
        return _cooled_down(state), Action.CONTINUE
    return _examined(state, event.codes), Action.FIND_CAUSE


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
        examined=frozenset(),
        is_searched=False,
        rescues=state.rescues + 1,
    )


def _at_end(settings, event):
    is_hopeless = not event.skill >= HEALTHY
    explains_as_note = is_hopeless and event.explains_as_note
    if event.has_one_class and not event.has_error:
        return Action.CONTINUE  # such samples carry no information about the training
    if not event.counts or (event.is_ok and not explains_as_note):
        return Action.CONTINUE
    has_reason = event.names_cause or event.is_collapse or event.has_error
    if not has_reason and not explains_as_note:
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


def _examined(state, codes):
    return replace(
        state,
        examined_at=state.step,
        examined=codes,
        examinations=state.examinations + 1,
    )


def _cooled_down(state):
    return replace(state, wait=0, cooldown_until=int(COOLDOWN * state.steps))


def _alarmed(state):
    return replace(state, alarms=(*state.alarms, state.step))
