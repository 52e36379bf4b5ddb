"""When a lowered rate rises, and when that is taken back."""

import pytest

from keras_trainfix.callbacks.collapse.warm_up import WarmUp, after_epoch

NAN = float("nan")


@pytest.mark.parametrize(
    ("may_raise", "skill", "change"),
    [
        (True, 0.95, "raise"),
        (True, 0.9, None),  # it does not learn yet
        (True, 0.98, None),  # nothing is left to save
        (True, NAN, None),
        (False, 0.95, None),
    ],
)
def test_when_the_rate_rises(may_raise, skill, change):
    state, found = after_epoch(WarmUp(may_raise), skill)
    assert found == change
    assert (state.best is not None) == (change == "raise")


@pytest.mark.parametrize(
    ("skills", "changes"),
    [
        ([0.95, 0.97, 0.99], [None] * 3),
        ([0.8, 0.96, 0.8, 0.96], [None] * 4),  # one bad epoch at a time
        ([0.96, 0.8, 0.7], [None, None, "take back"]),
        ([0.8, NAN], [None, "take back"]),
        ([0.99, 0.88, 0.88], [None, None, "take back"]),  # against the best since
    ],
)
def test_when_that_is_taken_back(skills, changes):
    state, found = WarmUp(best=0.95), []
    for skill in skills:
        state, change = after_epoch(state, skill)
        found.append(change)
    assert found == changes


def test_it_rises_once():
    state, _ = after_epoch(WarmUp(may_raise=True), 0.95)
    for skill in (0.5, 0.5, 0.95, 0.95):
        state, change = after_epoch(state, skill)
        assert change != "raise"
    assert not state.may_raise
