"""What a trial measures: ends, gains, and the best lower rate."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.trial.result import Trial, TrialRun, first_of_last

STEPS = 9


def run(*losses, factor=1.0, steps=STEPS):
    return TrialRun(factor, np.array(losses, "float64"), steps, [], 0.0)


def trial(start=10.0, **runs):
    """A trial whose runs end at these losses, by names such as `x0_1`."""
    by_factor = {
        float(name[1:].replace("_", ".")): run(*[end] * STEPS)
        for name, end in runs.items()
    }
    return Trial(True, 0.01, 32, STEPS, start, 0.0, 1.0, [], by_factor, None)


def test_the_end_is_the_mean_of_the_last_third():
    assert first_of_last(STEPS) == 6
    assert run(9, 9, 9, 9, 9, 9, 1, 2, 3).end == 2
    assert run(9, 9, 9, 9, 9, 9, 1, np.inf, 3).end == np.inf
    assert run(9, np.nan).end == np.inf


def test_a_run_without_time_has_no_end():
    assert run(*[1.0] * 6).is_cut
    assert not run(*[1.0] * 7).is_cut
    assert not run(1.0, np.nan).is_cut  # it has ended: it diverged


def test_gains_are_shares_of_the_loss():
    found = trial(x1_0=5.0, x0_1=12.0)
    assert found.gain(1.0) == pytest.approx(0.5)
    assert found.gain(0.1) == pytest.approx(-0.2)
    assert np.isnan(found.gain(10.0))


def test_a_negative_loss_that_falls_is_a_gain():
    assert trial(-10.0, x1_0=-15.0).gain(1.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("runs", "best"),
    [
        ({"x1_0": 1.0, "x0_1": 5.0, "x0_01": 4.5}, 0.1),  # about as good, and higher
        ({"x1_0": 1.0, "x0_1": 8.0, "x0_01": 4.5}, 0.01),
        ({"x1_0": 1.0, "x0_1": 11.0}, None),  # it does harm
        ({"x1_0": 1.0}, None),
    ],
)
def test_the_best_lower_rate(runs, best):
    assert trial(**runs).best_lower() == best
