"""When the detector looks at a training: a table, without a model."""

import numpy as np
import pytest

from keras_trainfix.callbacks.collapse import schedule
from keras_trainfix.callbacks.collapse.prices import Prices
from keras_trainfix.callbacks.collapse.schedule import Settings, State

DEAR = Settings(prices=Prices(quick_check=1, look=6, beginning=23, examination=300))
CHEAP = DEAR._replace(prices=Prices(0.1, 0.1, 0.1, 30))
STOP, RESCUE = DEAR._replace(action="stop"), DEAR._replace(action="rescue")


@pytest.mark.parametrize(
    ("state", "every", "due"),
    [
        ({}, "auto", 4),
        ({"next_check": 16}, "auto", 16),
        ({"epoch": 1, "next_check": 8}, "auto", np.inf),  # at the end of epochs only
        ({"epoch": 1, "next_check": 8}, 5, 8),
        ({"epoch": 3, "first_epoch": 3, "started_at": 36}, "auto", 40),
    ],
)
def test_when_a_quick_check_within_an_epoch_is_due(state, every, due):
    state = State(**{"first_epoch": 0, **state})
    assert schedule.next_check_within(Settings(check_every=every), state) == due


@pytest.mark.parametrize(
    ("state", "is_last", "settings", "due"),
    [
        ({"step": 8, "checked_at": 4}, False, DEAR, True),
        ({"step": 6, "checked_at": 4}, False, DEAR, False),
        ({"step": 6, "checked_at": 4}, True, DEAR, True),
        ({"step": 40, "checked_at": 31}, False, DEAR, False),
        ({"step": 40, "checked_at": 30}, False, DEAR, True),
        ({"step": 3200, "checked_at": 3151}, False, DEAR, False),
        ({"step": 3200, "checked_at": 3150}, False, DEAR, True),  # 2 % of 50 steps
        ({"step": 3200, "checked_at": 3195}, False, CHEAP, True),
        ({"step": 3200, "checked_at": 3101}, False, RESCUE, False),
        ({"step": 3200, "checked_at": 3100}, False, RESCUE, True),
        # One of many short ones counts as a part of the training.
        ({"step": 9, "checked_at": 8, "fit_from": 8, "next_check": 16}, True, DEAR, 0),
        (
            {"step": 16, "checked_at": 8, "fit_from": 15, "next_check": 16},
            True,
            DEAR,
            1,
        ),
        (
            {"step": 40, "checked_at": 39, "fit_from": 20, "next_check": 64},
            True,
            DEAR,
            1,
        ),
    ],
)
def test_when_a_check_at_the_end_of_an_epoch_is_due(state, is_last, settings, due):
    assert schedule.is_epoch_check_due(settings, State(**state), is_last) == due


ONCE = {"examinations": 1, "examined_at": 250}


@pytest.mark.parametrize(
    ("state", "settings", "may"),
    [
        ({"step": 40}, DEAR, False),  # it would take longer than the training so far
        ({"step": 40}, CHEAP, True),
        ({"step": 200}, DEAR, True),
        ({"step": 400, **ONCE}, DEAR, False),
        ({"step": 15_249, **ONCE}, DEAR, False),
        ({"step": 15_250, **ONCE}, DEAR, True),  # 2 % of the steps since
        ({"step": 1750, **ONCE}, CHEAP, True),
        ({"step": 199, "examinations": 1, "examined_at": 40}, CHEAP, False),
        ({"step": 200, "examinations": 1, "examined_at": 40}, CHEAP, True),
        ({"step": 40}, STOP, True),  # which saves the rest of the training
    ],
)
def test_when_a_fit_may_be_examined(state, settings, may):
    assert schedule.may_examine(settings, State(**state)) == may


@pytest.mark.parametrize(
    ("state", "settings", "due"),
    [
        ({"step": 16, "looked_at": 8}, DEAR, True),
        ({"step": 15, "looked_at": 8}, DEAR, False),
        ({"step": 15, "looked_at": 8}, STOP, True),
        ({"step": 1000, "looked_at": 701}, DEAR, False),
        ({"step": 1000, "looked_at": 700}, DEAR, True),
        ({"step": 1000, "looked_at": 700, **ONCE}, DEAR, False),  # nothing may follow
    ],
)
def test_when_a_look_for_symptoms_is_due(state, settings, due):
    assert schedule.is_look_due(settings, State(**state)) == due


SHORT = {"epoch": 0, "first_epoch": 0}


@pytest.mark.parametrize(
    ("state", "due"),
    [
        ({"step": 1}, True),  # the first
        ({"step": 10, **SHORT}, False),  # a short one, which others may follow
        ({"step": 10, "epoch": 1, "first_epoch": 0}, True),
        ({"step": 20, **SHORT}, True),
        ({"step": 200, "fit_from": 199, **SHORT}, True),
        ({"step": 250, **ONCE}, False),  # just now
        ({"step": 251, **ONCE}, True),
        ({"step": 2, "fit_from": 1, "examinations": 1, "examined_at": 1, **SHORT}, 0),
        ({"step": 200, "fit_from": 199, "examinations": 1, "examined_at": 1}, True),
        ({"step": 48, "fit_from": 24, "examinations": 1, "examined_at": 24}, True),
        ({"step": 47, "fit_from": 24, "examinations": 1, "examined_at": 24}, False),
        ({"step": 96, "fit_from": 72, "examinations": 2, "examined_at": 48}, False),
        ({"step": 600, "fit_from": 400, **ONCE, **SHORT}, True),  # a long one
        ({"step": 600, "fit_from": 401, **ONCE, **SHORT}, False),
        ({"step": 15_249, "fit_from": 15_200, **ONCE, **SHORT}, False),
        ({"step": 15_250, "fit_from": 15_200, **ONCE, **SHORT}, True),
    ],
)
def test_when_an_examination_at_the_end_is_due(state, due):
    assert schedule.is_examination_due(DEAR, State(**state)) == due


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
