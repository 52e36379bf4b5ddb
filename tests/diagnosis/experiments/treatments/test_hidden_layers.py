"""Other activations in all hidden layers, and what lies between them."""

import keras
import numpy as np
from keras import layers

from tests.diagnosis.experiments.benches import compiled, gains, mlp, pair, table

X, Y = table()


@pair("relu", cured="sigmoid", sound="tanh")
def test_relu(activation):
    middle = [layers.Dense(16, activation) for _ in range(9)]
    return compiled(mlp(*middle, activation=activation)), X, Y


@pair("gelu", cured=-6.0, sound=0.0)
def test_gelu(bias):
    start = keras.initializers.Constant(bias)
    model = compiled(mlp(bias_initializer=start))
    return model, X, Y, {"steps": 256, "factor": 3.0}


@pair("normalized-between", cured=0.02, sound=0.25)
def test_normalized_between(scale):
    settings = {"kernel_initializer": keras.initializers.RandomNormal(stddev=scale)}
    middle = [layers.Dense(16, "tanh", **settings) for _ in range(8)]
    return compiled(mlp(*middle, activation="tanh", **settings), rate=0.002), X, Y


@pair("tanh", cured="exponential", sound="elu")
def test_tanh(activation):
    middle = [layers.Dense(16, activation) for _ in range(4)]
    return compiled(mlp(*middle, activation=activation), rate=0.003), X, Y


@pair("recurrent-tanh", cured="relu", sound="tanh")
def test_recurrent_tanh(activation):
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
    return model, x, y, {"steps": 24}


@pair("skip-connections", cured=9, sound=3)
def test_skip_connections(number):
    middle = [layers.Dense(16, "sigmoid") for _ in range(number)]
    return compiled(mlp(*middle, activation="tanh"), rate=0.02), X, Y


def test_the_layers_that_are_skipped_are_counted():
    middle = [layers.Dense(16, "sigmoid") for _ in range(4)]
    (words,) = gains("skip-connections", compiled(mlp(*middle)), X, Y, steps=2)
    assert words == "skip connections across 4 hidden layers"


def test_shapes_that_differ_have_no_skip_connection():
    middle = [layers.Dense(units, "relu") for units in (8, 12, 16, 20)]
    assert gains("skip-connections", compiled(mlp(*middle)), X, Y, steps=2) == {}
