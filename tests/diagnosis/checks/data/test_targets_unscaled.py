"""Targets far from what a new head predicts are found."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.checks.data.cases import (
    findings,
    only,
    real,
)
from tests.diagnosis.nets import inputs, net


@pytest.mark.parametrize(
    ("scale", "offset"),
    [(1e3, 0), (5e4, 2e5), (10, 1e3), (1e3, -5e3), (1e6, 0), (30, 3000)],
)
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
def test_targets_unscaled(scale, offset, optimizer):
    x, y = real(scale, offset)
    finding = only(net(loss="mse", optimizer=optimizer), x, y)
    assert (finding.code, finding.name) == ("KTF111", "targets-unscaled")
    assert finding.severity == "warning"
    assert finding.evidence["mean"] == pytest.approx(float(y.mean()), rel=1e-4)
    assert finding.evidence["std"] == pytest.approx(float(y.std()), rel=1e-4)
    assert ("steps" in finding.evidence) == (optimizer != "sgd")
    y = (y - y.mean()) / y.std()
    assert findings(net(loss="mse", optimizer=optimizer), x, y) == {}


def test_targets_unscaled_in_one_column():
    x, y = real(1, columns=3)
    y[:, 1] *= 1e5
    finding = only(net(3, loss="mae"), x, y)
    assert finding.evidence["column"] == 1


def test_the_steps_follow_from_the_learning_rate():
    x, y = real(5e4)
    steps = [
        only(net(loss="mse", optimizer=keras.optimizers.Adam(rate)), x, y)
        for rate in (1e-4, 1e-3)
    ]
    slow, fast = (finding.evidence["steps"] for finding in steps)
    assert slow == pytest.approx(10 * fast, rel=0.01)


def test_a_schedule_of_the_learning_rate_is_read():
    schedule = keras.optimizers.schedules.ExponentialDecay(1e-3, 100, 0.9)
    model = net(loss="mse", optimizer=keras.optimizers.Adam(schedule))
    finding = only(model, *real(5e4))
    assert finding.evidence["learning_rate"] == pytest.approx(1e-3, rel=0.01)


def test_targets_that_the_model_scales_or_already_reaches():
    x, y = real(10, 500)
    model = net(loss="mse")
    assert list(findings(model, x, y)) == ["KTF111"]
    model.layers[-1].bias.assign([500.0])
    assert findings(model, x, y) == {}
    scaled = keras.Sequential([net(), layers.Rescaling(20, offset=500)])
    scaled.build((None, 6))
    scaled.compile("adam", "mse")
    assert findings(scaled, x, y) == {}


def test_class_ids_are_no_unscaled_targets():
    y = np.random.default_rng(1).integers(0, 900, 64)
    model = net(900, "softmax", "sparse_categorical_crossentropy")
    assert findings(model, inputs(), y) == {}
    assert list(findings(net(loss="mse"), inputs(), y)) == ["KTF111"]
