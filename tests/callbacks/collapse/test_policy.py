"""The decisions of the detector, as a table: no model, no `fit`."""

import dataclasses

import pytest

from keras_trainfix.callbacks.collapse.events import (
    CauseSought,
    CollapseNamed,
    EndExamined,
    EpochBegan,
    FitBegan,
    QuickChecked,
    Rescued,
    StepEnded,
    SymptomsSeen,
    TrainingEnded,
)
from keras_trainfix.callbacks.collapse.policy import Action, decide
from keras_trainfix.callbacks.collapse.prices import Prices
from keras_trainfix.callbacks.collapse.schedule import (
    FIRST_CHECK,
    Settings,
    State,
    next_check_within,
)

DEAR = Prices(quick_check=1, look=6, beginning=23, examination=300)
WARN, STOP, RAISE, RESCUE = (Settings(a) for a in ("warn", "stop", "raise", "rescue"))
NAN = float("nan")


def after(state=None, event=None, settings=WARN, **changes):
    return decide(settings, state or State(**changes), event)


# --- After a quick check ---


def test_quick_checks_of_the_first_epoch_grow_apart():
    state, steps = after(event=EpochBegan(0))[0], []
    for step in range(1, 70):
        state, _ = after(state, StepEnded(step))
        if step >= next_check_within(WARN, state):
            state, action = after(state, QuickChecked(False))
            assert action is Action.CONTINUE
            steps.append(step)
    assert steps == [4, 8, 16, 32, 64]


def test_quick_checks_every_few_steps():
    settings = Settings(check_every=10)
    state, _ = after(State(step=23), QuickChecked(False), settings)
    assert state.next_check == 33


def test_the_first_epoch_of_a_resumed_fit_counts_as_first():
    state, _ = after(event=EpochBegan(7))
    assert (state.epoch, state.first_epoch) == (7, 7)
    state, _ = after(state, EpochBegan(8))
    assert (state.epoch, state.first_epoch) == (8, 7)


@pytest.mark.parametrize(
    ("state", "settings", "suspicious", "action"),
    [
        ({}, WARN, False, Action.CONTINUE),
        ({}, WARN, True, Action.LOOK_FOR_SYMPTOMS),
        ({"cooldown_until": 65}, WARN, True, Action.CONTINUE),
        ({"cooldown_until": 64}, WARN, True, Action.LOOK_FOR_SYMPTOMS),
        ({"alarms": (8,)}, WARN, True, Action.CONTINUE),  # reported once
        ({"alarms": (8,)}, STOP, True, Action.CONTINUE),
        ({"alarms": (8,)}, RESCUE, True, Action.LOOK_FOR_SYMPTOMS),
    ],
)
def test_after_a_quick_check(state, settings, suspicious, action):
    state, found = after(State(step=64, **state), QuickChecked(suspicious), settings)
    assert found is action
    assert state.next_check == 128


@pytest.mark.parametrize(
    ("changes", "event", "action"),
    [
        ({}, QuickChecked(False, lacks_skill=True), Action.FIND_CAUSE),
        ({}, QuickChecked(False), Action.CONTINUE),
        ({"step": 199}, QuickChecked(False, lacks_skill=True), Action.CONTINUE),
        ({"is_searched": True}, QuickChecked(False, lacks_skill=True), Action.CONTINUE),
        ({"alarms": (8,)}, QuickChecked(False, lacks_skill=True), Action.CONTINUE),
        ({"epoch": 0}, QuickChecked(False, lacks_skill=True), Action.CONTINUE),
        ({"epoch": 0}, QuickChecked(False, True, ends_epoch=True), Action.FIND_CAUSE),
        ({"fit_from": 199}, QuickChecked(False, lacks_skill=True), Action.CONTINUE),
    ],
)
def test_a_training_without_skill_is_examined_once_it_is_due(changes, event, action):
    state = State(**{"step": 200, "epoch": 1, "first_epoch": 0, **changes})
    state, found = after(state, event)
    assert found is action
    if action is Action.FIND_CAUSE:
        assert after(state, event)[1] is Action.CONTINUE


def test_symptoms_are_looked_for_as_often_as_the_training_pays_for():
    settings, state = WARN._replace(prices=DEAR), State(step=64, looked_at=40)
    assert after(state, QuickChecked(True), settings)[1] is Action.CONTINUE
    state = dataclasses.replace(state, step=80)
    state, action = after(state, QuickChecked(True), settings)
    assert (action, state.looked_at) == (Action.LOOK_FOR_SYMPTOMS, 80)


def test_a_healthy_check_ends_a_row_of_suspicious_ones():
    assert after(State(step=8, wait=1), QuickChecked(False))[0].wait == 0
    assert after(State(step=8, wait=1), QuickChecked(True))[0].wait == 1


# --- After the checks of symptoms ---


@pytest.mark.parametrize(
    ("wait", "event", "patience", "action"),
    [
        (0, SymptomsSeen(False, False, False), 2, Action.CONTINUE),
        (0, SymptomsSeen(True, False, False), 2, Action.CONTINUE),
        (1, SymptomsSeen(True, False, False), 2, Action.FIND_CAUSE),
        (1, SymptomsSeen(False, True, False), 2, Action.FIND_CAUSE),
        (1, SymptomsSeen(False, False, False), 2, Action.CONTINUE),
        (0, SymptomsSeen(True, False, True), 2, Action.FIND_CAUSE),  # nothing to await
        (0, SymptomsSeen(True, False, False), 1, Action.FIND_CAUSE),
        (2, SymptomsSeen(True, False, False), 4, Action.CONTINUE),
        (3, SymptomsSeen(True, False, False), 4, Action.FIND_CAUSE),
    ],
)
def test_after_the_symptoms(wait, event, patience, action):
    state = State(step=40, wait=wait)
    assert after(state, event, Settings(patience=patience))[1] is action


SEEN = SymptomsSeen(True, False, False, frozenset(["KTF501 error"]))


@pytest.mark.parametrize(
    ("step", "codes", "action"),
    [
        (40, {"KTF501 error"}, Action.CONTINUE),
        (40, {"KTF501 warning"}, Action.FIND_CAUSE),
        (60, {"KTF501 error"}, Action.FIND_CAUSE),  # twice the steps
    ],
)
def test_the_same_symptoms_are_not_examined_again_at_once(step, codes, action):
    state, found = after(State(step=30, wait=1), SEEN)
    assert (found, state.examined_at) == (Action.FIND_CAUSE, 30)
    state = dataclasses.replace(state, step=step, wait=1)
    assert after(state, SEEN._replace(codes=frozenset(codes)))[1] is action


@pytest.mark.parametrize(
    ("settings", "is_irreversible", "action"),
    [
        (WARN, False, Action.CONTINUE),
        (WARN, True, Action.FIND_CAUSE),  # it cannot pass
        (STOP, False, Action.FIND_CAUSE),
    ],
)
def test_an_examination_waits_until_it_is_worth_it(settings, is_irreversible, action):
    settings, seen = settings._replace(prices=DEAR), SEEN
    seen = seen._replace(is_irreversible=is_irreversible)
    state, found = after(State(step=40, wait=1), seen, settings)
    assert found is action
    assert state.examinations == (action is Action.FIND_CAUSE)


def test_a_false_alarm_brings_a_cooldown():
    state, _ = after(State(step=100, started_at=20), SymptomsSeen(False, False, False))
    assert (state.wait, state.cooldown_until) == (0, 120)


@pytest.mark.parametrize(("steps", "soon"), [(4, 6), (16, 18), (80, 90)])
def test_a_first_suspicion_is_checked_again_soon(steps, soon):
    state, _ = after(State(step=steps), SymptomsSeen(True, False, False))
    assert (state.wait, state.next_check) == (1, soon)


# --- After the search for a cause ---

SURE = CauseSought(has_collapsed=True, is_named=True)


@pytest.mark.parametrize(
    ("changes", "settings", "rescues", "step", "action"),
    [
        ({}, WARN, 0, 40, Action.REPORT),
        ({"is_named": False}, WARN, 0, 40, Action.REPORT),
        ({"has_collapsed": False}, WARN, 0, 40, Action.REPORT),
        ({"has_collapsed": False, "is_named": False}, WARN, 0, 40, Action.CONTINUE),
        ({"counts": False}, WARN, 0, 40, Action.CONTINUE),
        ({"may_pass": True}, WARN, 0, 40, Action.CONTINUE),
        # A lowered rate has time to show what it is worth, ...
        ({"does_no_harm": True}, RESCUE, 1, 40, Action.CONTINUE),
        ({"does_no_harm": True}, RESCUE, 0, 40, Action.REPORT),
        ({"does_no_harm": True}, RESCUE, 1, 127, Action.CONTINUE),
        # ... but not for ever, nor if it does harm, nor if nothing can recover.
        ({"does_no_harm": True}, RESCUE, 1, 128, Action.REPORT),
        ({"does_no_harm": False}, RESCUE, 1, 40, Action.REPORT),
        ({"does_no_harm": True, "is_irreversible": True}, RESCUE, 1, 40, Action.REPORT),
        ({"does_no_harm": True, "was_sped_up": True}, RESCUE, 1, 40, Action.REPORT),
    ],
)
def test_after_the_search_for_a_cause(changes, settings, rescues, step, action):
    state = State(step=step, rescues=rescues)
    state, found = after(state, SURE._replace(**changes), settings)
    assert found is action
    assert state.alarms == ((step,) if action is Action.REPORT else ())


@pytest.mark.parametrize(
    ("changes", "rescues", "action"),
    [
        ({}, 1, Action.SPEED_UP),
        ({"has_higher_rate": False}, 1, Action.CONTINUE),
        ({"was_sped_up": False}, 1, Action.CONTINUE),
        ({}, 3, Action.CONTINUE),  # as many rescues as there may be
    ],
)
def test_a_rate_that_is_still_too_low_rises_again(changes, rescues, action):
    slow = CauseSought(False, False, was_sped_up=True, has_higher_rate=True)
    state = State(step=200, rescues=rescues)
    assert after(state, slow._replace(**changes), RESCUE)[1] is action


# --- Once a collapse is named ---


@pytest.mark.parametrize(
    ("settings", "has_remedy", "rescues", "action"),
    [
        (WARN, True, 0, Action.REPORT),
        (STOP, True, 0, Action.STOP),
        (RAISE, True, 0, Action.RAISE),
        (RESCUE, True, 0, Action.RESCUE),
        (RESCUE, True, 2, Action.RESCUE),
        (RESCUE, True, 3, Action.STOP),
        (RESCUE, False, 0, Action.STOP),  # the cause is left to the user
    ],
)
def test_once_a_collapse_is_named(settings, has_remedy, rescues, action):
    state = State(step=40, rescues=rescues)
    assert after(state, CollapseNamed(has_remedy), settings)[1] is action


def test_a_rescue_begins_again():
    before = State(40, 2, 0, 0, 64, 60, 2, (40,), 0)
    state, action = after(before, Rescued(), RESCUE)
    assert action is Action.CONTINUE
    assert state == State(40, 2, 40, 3, FIRST_CHECK, 0, 0, (40,), 1)
    assert state.steps == 0


# --- At the end ---


@pytest.mark.parametrize(
    ("skill", "state", "action"),
    [
        (0.9, {}, Action.CONTINUE),
        (0.1, {"alarms": (8,)}, Action.CONTINUE),  # reported already
        (0.79, {}, Action.FIND_CAUSE),
        (NAN, {}, Action.FIND_CAUSE),
        (0.1, {"examinations": 1, "examined_at": 2}, Action.CONTINUE),  # just now
    ],
)
def test_when_training_ends(skill, state, action):
    state, found = after(State(step=2, **state), TrainingEnded(skill))
    assert found is action
    if action is Action.FIND_CAUSE:
        assert (state.examinations, state.examined_at) == (1, 2)


# --- Several calls of `fit` ---


def test_another_fit_continues():
    before = State(step=40, epoch=2, first_epoch=0, next_check=64, wait=1, alarms=(8,))
    state, _ = after(before, FitBegan(is_new=False))
    assert state == dataclasses.replace(before, first_epoch=-1, fit_from=40)
    assert state.fit_steps == 0


def test_another_fit_from_other_weights_begins_again():
    before = State(step=40, wait=1, alarms=(8,), examinations=2, examined_at=30)
    state, _ = after(before, FitBegan(is_new=True))
    assert (state.steps, state.alarms, state.wait) == (0, (), 0)
    assert (state.examinations, state.examined_at) == (2, 30)


FAILED = EndExamined(skill=0.1, names_cause=True)


@pytest.mark.parametrize(
    ("changes", "settings", "action"),
    [
        ({}, WARN, Action.REPORT),
        ({"was_reported": True}, WARN, Action.KEEP),
        ({"counts": False}, WARN, Action.CONTINUE),
        ({"is_ok": True}, WARN, Action.CONTINUE),
        ({"is_ok": True, "explains_as_note": True}, WARN, Action.KEEP),
        (
            {"is_ok": True, "explains_as_note": True, "skill": 0.5},
            WARN,
            Action.CONTINUE,
        ),
        ({"names_cause": False}, WARN, Action.CONTINUE),
        ({"names_cause": False, "has_error": True}, WARN, Action.REPORT),
        ({"names_cause": False, "is_collapse": True}, WARN, Action.REPORT),
        ({"has_one_class": True}, WARN, Action.CONTINUE),
        ({"has_one_class": True, "has_error": True}, WARN, Action.REPORT),
        ({"is_growing": True}, WARN, Action.REPORT),  # from nothing to nearly nothing
        ({"is_growing": True, "skill": 0.5}, WARN, Action.CONTINUE),
        ({"is_growing": True, "skill": 0.5, "has_error": True}, WARN, Action.REPORT),
        ({"is_growing": True, "skill": 0.5, "has_gap": True}, WARN, Action.REPORT),
        ({"may_pass": True, "skill": 0.5}, WARN, Action.CONTINUE),
        ({"may_pass": True, "skill": NAN}, WARN, Action.REPORT),
        ({"is_collapse": True}, RAISE, Action.RAISE),
        ({"is_collapse": False}, RAISE, Action.REPORT),
        ({"has_gap": True}, RESCUE, Action.RECALIBRATE),
        ({"has_gap": True}, WARN, Action.REPORT),
        ({"has_gap": True, "is_recalibrated": True}, RESCUE, Action.KEEP),
        ({"has_gap": True, "is_recalibrated": False}, RESCUE, Action.REPORT),
    ],
)
def test_at_the_end(changes, settings, action):
    assert after(State(), FAILED._replace(**changes), settings)[1] is action


# --- What always holds ---


def test_a_state_is_never_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        State().wait = 1


def test_an_event_that_is_none():
    with pytest.raises(TypeError, match="`event` must be an event. Received: event=3"):
        decide(WARN, State(), 3)
