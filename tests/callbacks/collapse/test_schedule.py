"""When the detector looks at a training: a table, without a model."""

import pytest

from keras_trainfix.callbacks.collapse import schedule
from keras_trainfix.callbacks.collapse.schedule import Settings, State


@pytest.mark.parametrize(
    ("state", "every", "due"),
    [
        ({"step": 3}, "auto", False),
        ({"step": 4}, "auto", True),
        ({"step": 8, "next_check": 16}, "auto", False),
        ({"step": 40, "epoch": 1, "next_check": 8}, "auto", False),  # epoch ends only
        ({"step": 40, "epoch": 1, "next_check": 8}, 5, True),
        ({"step": 40, "epoch": 3, "first_epoch": 3, "started_at": 36}, "auto", True),
        ({"step": 39, "epoch": 3, "first_epoch": 3, "started_at": 36}, "auto", False),
    ],
)
def test_when_a_quick_check_is_due(state, every, due):
    state = State(**{"first_epoch": 0, **state})
    assert schedule.is_check_due(Settings(check_every=every), state) == due


@pytest.mark.parametrize(
    ("state", "is_last", "due"),
    [
        ({"step": 8, "checked_at": 4}, False, True),
        ({"step": 6, "checked_at": 4}, False, False),
        ({"step": 6, "checked_at": 4}, True, True),
        ({"step": 3200, "checked_at": 3101}, False, False),
        ({"step": 3200, "checked_at": 3100}, False, True),
        ({"step": 64_000, "checked_at": 63_800}, False, True),  # never rarer than that
        # One of many short ones counts as a part of the training.
        ({"step": 9, "checked_at": 8, "fit_from": 8, "next_check": 16}, True, False),
        ({"step": 16, "checked_at": 8, "fit_from": 15, "next_check": 16}, True, True),
        ({"step": 40, "checked_at": 39, "fit_from": 20, "next_check": 64}, True, True),
    ],
)
def test_when_a_check_at_the_end_of_an_epoch_is_due(state, is_last, due):
    assert schedule.is_epoch_check_due(State(**state), is_last) == due


@pytest.mark.parametrize(
    ("state", "due"),
    [
        ({"step": 1}, True),  # the first
        ({"step": 2, "fit_from": 1, "examinations": 1, "examined_at": 1}, False),
        ({"step": 200, "fit_from": 199, "examinations": 1, "examined_at": 1}, True),
        ({"step": 48, "fit_from": 24, "examinations": 1, "examined_at": 24}, True),
        ({"step": 47, "fit_from": 24, "examinations": 1, "examined_at": 24}, False),
        ({"step": 9000, "examinations": 4, "examined_at": 800}, False),
        ({"step": 15_800, "examinations": 4, "examined_at": 800}, True),
    ],
)
def test_when_an_examination_at_the_end_is_due(state, due):
    assert schedule.is_examination_due(State(**state)) == due


@pytest.mark.parametrize(
    ("step", "codes", "known"),
    [
        (150, {"KTF501 error"}, True),
        (150, set(), False),
        (239, {"KTF501 error"}, False),  # by then there should be some skill
    ],
)
def test_symptoms_that_were_examined(step, codes, known):
    examined = frozenset(["KTF501 error"])
    state = State(step=step, examined_at=120, examined=examined)
    assert schedule.is_known(state, frozenset(codes)) == known
