"""Another rate that learns within `fit`, and steps that are missing, by outcomes."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.checks.optimization.rate_within_fit import (
    rate_within_fit,
)
from keras_trainfix.diagnosis.experiments.outcome import Outcome
from keras_trainfix.diagnosis.experiments.planned import Planned
from keras_trainfix.diagnosis.experiments.results import Experiments
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net

X = inputs()


def outcome(skill, half=None):
    return Outcome(skill, skill, skill if half is None else half, np.zeros(4))


def shown(reached, half=None, **skills):
    others = {FACTORS[name]: outcome(skill) for name, skill in skills.items()}
    return Experiments(
        {1.0: outcome(0.0), **others},
        start=0.0,
        steps=128,
        rate=0.01,
        planned=Planned(300, outcome(reached, half)),
    )


FACTORS = {"same": 1.0, "tenth": 0.1, "tenfold": 10.0}


@pytest.mark.parametrize(
    ("seen", "factor"),
    [
        (shown(0.1, tenfold=0.9), 10.0),
        (shown(0.1, tenth=0.9), 0.1),
        (shown(0.1, half=0.0, tenfold=0.9), None),  # it climbs
        (shown(0.5, tenfold=0.9), None),  # it learns
        (shown(0.3, tenfold=0.45), None),  # hardly better
        (shown(0.1, same=0.9), None),
    ],
)
def test_a_rate_that_learns_within_fit(seen, factor):
    assert seen.other_rate == factor
    snapshot = Snapshot(net(loss="mse"), X, X[:, :1])
    snapshot.experiments = seen
    for higher in (True, False):
        found = rate_within_fit(snapshot, higher)
        if factor is None or higher != (factor > 1):
            assert found is None
        else:
            assert "All 300 steps of `fit` at the learning rate 0.01" in found.message
            assert found.evidence["better_rate"] == pytest.approx(0.01 * factor)


def test_steps_that_are_missing():
    assert shown(0.1, same=0.9).lacks_steps == pytest.approx(0.8)
    assert shown(0.3, same=0.5, tenfold=0.9).lacks_steps == pytest.approx(0.6)
    assert shown(0.5, same=0.9).lacks_steps == 0  # it learns
    assert shown(0.1).lacks_steps == 0
