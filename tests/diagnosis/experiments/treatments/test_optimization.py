"""Clipped gradients, and initial weights of Keras."""

import keras
import numpy as np
import pytest

from tests.diagnosis.experiments.benches import (
    compiled,
    gains,
    mlp,
    pair,
    run,
    table,
)

X, Y = table()


@pair("gradients-clipped", cured=20.0, sound=1.0)
def test_gradients_clipped(scale):
    """A few samples far from the others."""
    model = mlp(keras.layers.Dense(16, "relu"))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.where(np.arange(len(X))[:, None] % 40 == 0, X * scale, X)
    return model, x.astype("float32"), Y


def test_gradients_that_are_clipped_already():
    model = mlp()
    model.compile(keras.optimizers.Adam(0.01, clipnorm=1.0), "mse")
    assert gains("gradients-clipped", model, X, Y) == {}


@pair("optimizer-defaults", cured=50.0, sound=1e-4)
def test_optimizer_defaults(weight_decay):
    model = mlp()
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=weight_decay)
    model.compile(optimizer, "mse")
    return model, X, Y


@pair("optimizer-defaults", cured=0.9999, sound=0.5)
def test_an_average_that_replaces_the_weights(momentum):
    model = mlp()
    average = {"use_ema": True, "ema_momentum": momentum, "ema_overwrite_frequency": 1}
    model.compile(keras.optimizers.Adam(0.02, **average), "mse")
    return model, X, Y


def test_settings_that_are_by_default():
    assert gains("optimizer-defaults", compiled(mlp()), X, Y) == {}


@pair("default-initializers", cured="zeros", sound="glorot_uniform")
def test_default_initializers(initializer):
    settings = {"kernel_initializer": initializer}
    return compiled(mlp(keras.layers.Dense(16, "relu", **settings), **settings)), X, Y


def test_the_weights_are_put_back():
    model = compiled(mlp())
    before = model.get_weights()
    assert len(gains("default-initializers", model, X, Y, steps=2)) == 1
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


@pair("no-schedule", cured=0.5, sound=0.999)
def test_no_schedule(decay):
    """A decay that is meant for epochs, by step."""
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 1, decay)
    model = mlp()
    model.compile(keras.optimizers.Adam(rate), "mse")
    return model, X, Y


@pytest.mark.parametrize("warmup", [0, 1000])
def test_other_schedules_are_none_of_the_bench(warmup):
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else 0.01, 5000, warmup_target=0.01, warmup_steps=warmup
    )
    model = mlp()
    model.compile(keras.optimizers.Adam(schedule), "mse")
    assert gains("no-schedule", model, X, Y, steps=2) == {}
    outcomes = run("no-schedule", model, X, Y, steps=64)
    assert outcomes[None].value > 0.5
