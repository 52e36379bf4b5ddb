"""Forecasts are compared with the last value of their window."""

import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.persistence import (
    against_last_value,
    fitted,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import sequential


def windows(kind="smooth", steps=8, samples=300):
    """Windows `(samples, steps)` of a series and its next values."""
    rng = np.random.default_rng(0)
    s = rng.normal(size=samples + steps)
    if kind == "walk":
        s = np.cumsum(s)
    elif kind == "smooth":
        for i in range(2, len(s)):
            s[i] += 1.7 * s[i - 1] - 0.72 * s[i - 2]
    x = np.stack([s[i : i + steps] for i in range(samples)])
    return x.astype("float32"), s[steps:].astype("float32")


def linear(weights, steps=8):
    """A model of one step, with these weights of the last steps."""
    model = sequential(layers.Dense(1), shape=(steps,))
    kernel = np.zeros((steps, 1))
    kernel[-len(weights) :, 0] = weights
    model.layers[0].kernel.assign(kernel)
    return model


def seen(model, x, y):
    (one,) = against_last_value(Snapshot(model, x, y))
    return one


def test_an_echo_and_a_forecast():
    x, y = windows()
    echo = seen(linear([1]), x, y)
    assert echo.echo == pytest.approx(1)
    assert echo.skill < 0.05
    assert echo.change < 0.2
    assert echo.possible.skill > 0.3
    forecast = seen(linear([-0.72, 1.7]), x, y)
    assert forecast.skill > 0.3
    assert forecast.change > 0.5


def test_a_random_walk_cannot_be_beaten():
    assert seen(linear([1]), *windows("walk")).possible.skill < 0.1


def test_several_features_and_another_scale():
    x, y = windows()
    rng = np.random.default_rng(1)
    both = np.stack([rng.normal(size=x.shape), x], -1).astype("float32")
    model = sequential(layers.GRU(4), layers.Dense(1), shape=(8, 2))
    one = seen(model, both, 100 + 50 * y[:, None])
    assert one.channel == 1
    assert one.last == pytest.approx(seen(linear([1]), x, y).last)


@pytest.mark.parametrize("kind", ["noise", "table", "few", "text", "ids"])
def test_what_is_no_slow_series(kind):
    x, y = windows("noise" if kind == "noise" else "smooth")
    if kind == "table":  # the last feature is much like the target
        x = inputs(300, 8)
        y = x[:, -1] + 0.1 * x[:, 0]
    elif kind == "few":
        x, y = x[:40], y[:40]
    elif kind == "ids":
        x = np.round(x).astype("int32")
    elif kind == "text":
        y = np.array(["up"] * 300)
    assert against_last_value(Snapshot(linear([1]), x, y)) is None
    assert against_last_value(Snapshot(net(), inputs())) is None


def test_the_line_through_values():
    values = np.arange(10.0)
    np.testing.assert_allclose(fitted(values, 3 * values + 1), 3 * values + 1)
    np.testing.assert_allclose(fitted(np.ones(4), np.arange(4)), 1.5)
