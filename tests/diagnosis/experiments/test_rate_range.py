"""The choice of a learning rate is a function of what the runs reached."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.outcome import Outcome
from keras_trainfix.diagnosis.experiments.rate_range import choose

NAN = float("nan")


def outcome(loss, peak=1.0, skill=None):
    skill = 1 - loss if skill is None else skill
    return Outcome(skill, NAN, NAN, np.array([1.0, peak]), loss)


START = outcome(1.0)
RATES = 10.0 ** np.arange(-5, 1)


def chosen(*outcomes, start=START):
    return choose(RATES, start, list(outcomes))


@pytest.mark.parametrize(
    ("losses", "suggestion", "edge"),
    [
        ((1.0, 0.9, 0.5, 0.2, 0.1, 0.4), 1e-1, None),  # the best
        ((1.0, 0.9, 0.5, 0.1, 0.1, 0.4), 1e-1, None),  # the largest of the best
        ((1.0, 0.9, 0.5, 0.1, 0.105, 0.4), 1e-1, None),  # about as good
        ((1.0, 0.9, 0.5, 0.1, 0.2, 0.4), 1e-2, None),
        ((1.0, 0.9, 0.5, 0.1, 0.1, NAN), 1e-1, 1.0),  # ten times below the edge
        ((1.0, 0.9, 0.5, 0.2, 3.0, NAN), 1e-2, 1e-1),
        ((1.01, 0.9, 0.5, 0.2, 0.1, 0.2), 1e-1, None),  # chance at the lowest rate
        ((-1.0, -1.2, -2.0, -5.0, -5.1, -3.0), 1e-1, None),
    ],
)
def test_the_largest_rate_that_is_as_good_as_the_best(losses, suggestion, edge):
    start = outcome(losses[0] if losses[0] < 0 else 1.0)
    found = chosen(*map(outcome, losses), start=start)
    assert found.suggestion == pytest.approx(suggestion)
    assert found.edge == (None if edge is None else pytest.approx(edge))


def test_a_run_that_jumps_on_the_way_diverges():
    losses = (1.0, 0.9, 0.5, 0.2, 0.1)
    found = chosen(*map(outcome, losses), outcome(0.3, peak=5.0))
    assert found == (pytest.approx(1e-1), pytest.approx(1.0))
    found = chosen(*map(outcome, losses[:-1]), outcome(0.1, 5.0), outcome(0.3))
    assert found == (pytest.approx(1e-2), pytest.approx(1e-1))


def test_where_all_rates_but_the_lowest_diverge():
    runs = [outcome(0.1), *map(outcome, [NAN] * 5)]
    assert chosen(*runs).suggestion == pytest.approx(1e-5)


@pytest.mark.parametrize(
    "runs",
    [
        [outcome(1.0)] * 6,
        [outcome(1.001, skill=0.9)] * 6,  # it has learned before
        [outcome(0.5, skill=0.1)] * 6,  # a better constant
        [outcome(NAN, peak=NAN)] * 6,
    ],
)
def test_where_no_rate_learns(runs):
    assert chosen(*runs).suggestion is None


def test_skill_by_the_loss_counts():
    runs = [Outcome(-1.0, 0.8, NAN, np.array([1.0]), loss) for loss in (1, 0.3)]
    assert choose(RATES[:2], START, runs).suggestion == pytest.approx(1e-4)
