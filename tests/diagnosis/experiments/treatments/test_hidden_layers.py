"""Other activations in all hidden layers, and what lies between them."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.thresholds import EFFECT
from tests.diagnosis.experiments.benches import compiled, gains, mlp, table

X, Y = table()


@pytest.mark.parametrize(("activation", "cures"), [("sigmoid", True), ("tanh", False)])
def test_relu(activation, cures):
    middle = [layers.Dense(16, activation) for _ in range(7)]
    (value,) = gains(
        "relu", compiled(mlp(*middle, activation=activation)), X, Y
    ).values()
    assert (value > EFFECT) == cures


@pytest.mark.parametrize(("bias", "cures"), [(-6.0, True), (0.0, False)])
def test_gelu(bias, cures):
    start = keras.initializers.Constant(bias)
    model = compiled(mlp(bias_initializer=start))
    (value,) = gains("gelu", model, X, Y, steps=256, factor=3.0).values()
    assert (value > EFFECT) == cures


@pytest.mark.parametrize(("scale", "cures"), [(0.02, True), (None, False)])
def test_normalized_between(scale, cures):
    settings = {}
    if scale:
        settings["kernel_initializer"] = keras.initializers.RandomNormal(stddev=scale)
    middle = [layers.Dense(16, "tanh", **settings) for _ in range(8)]
    model = compiled(mlp(*middle, activation="tanh", **settings), rate=0.002)
    (value,) = gains("normalized-between", model, X, Y).values()
    assert (value > EFFECT) == cures


@pytest.mark.parametrize(
    ("activation", "cures"), [("exponential", True), ("elu", False)]
)
def test_tanh(activation, cures):
    middle = [layers.Dense(16, activation) for _ in range(4)]
    model = compiled(mlp(*middle, activation=activation), rate=0.003)
    (value,) = gains("tanh", model, X, Y).values()
    assert (value > EFFECT) == cures


@pytest.mark.parametrize(("activation", "cures"), [("relu", True), ("tanh", None)])
def test_recurrent_tanh(activation, cures):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 320)
    drift = np.linspace(0, 2, 80) * (y[:, None] - 1)
    x = 5 * (rng.normal(size=(320, 80, 2)) + drift[:, :, None]).astype("float32")
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((80, 2)),
            layers.LSTM(32, activation, return_sequences=True),
            layers.LSTM(32, activation),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    values = gains("recurrent-tanh", model, x, y, steps=24)
    if cures is None:
        assert values == {}
    else:
        ((words, value),) = values.items()
        assert words == "tanh in the recurrent layers"
        assert value > EFFECT


@pytest.mark.parametrize(("number", "cures"), [(9, True), (3, False)])
def test_skip_connections(number, cures):
    middle = [layers.Dense(16, "sigmoid") for _ in range(number)]
    model = compiled(mlp(*middle, activation="tanh"), rate=0.02)
    ((words, value),) = gains("skip-connections", model, X, Y).items()
    assert words == f"skip connections across {number} hidden layers"
    assert (value > EFFECT) == cures


def test_shapes_that_differ_have_no_skip_connection():
    middle = [layers.Dense(units, "relu") for units in (8, 12, 16, 20)]
    assert gains("skip-connections", compiled(mlp(*middle)), X, Y, steps=2) == {}
