"""Inputs on another scale, and padding moved."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.experiments.benches import compiled, gains, mlp, pair, table

X, Y = table()
STEPS = 16


@pair("inputs-standardized", cured=1000.0, sound=1.0)
def test_inputs_standardized(scale):
    x = X * np.array([1, 1, 1, scale], "float32") + scale - 1
    return compiled(mlp(activation="tanh")), x, Y


def images(scale):
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 0.2, (256, 8, 8, 1))
    y = rng.integers(0, 2, 256)
    x[y == 1, 2:5, 2:5] += 0.7
    return (x * scale).astype("float32"), y.astype("int32")


@pair("inputs-regrouped", cured=True, sound=False)
def test_channels_cut_in_pieces(is_cut):
    rng = np.random.default_rng(0)
    x = 0.3 * rng.normal(size=(512, 40, 2))
    y = rng.integers(0, 2, 512)
    for row, start in enumerate(rng.integers(0, 36, 512)):
        x[row, start : start + 4, y[row]] += 1  # in one of two channels
    if is_cut:
        x = x.swapaxes(1, 2).reshape(x.shape)
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((40, 2)),
            keras.layers.Conv1D(8, 5, activation="relu"),
            keras.layers.GlobalMaxPooling1D(),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy")
    return model, x.astype("float32"), y.astype("float32")[:, None]


@pair("inputs-rescaled", cured=1 / 255, sound=1.0)
def test_a_second_scaling_undone(first):
    x, y = images(1.0)
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(first),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return compiled(model, loss), x, y


def sentences(is_behind):
    rng = np.random.default_rng(0)
    x = np.zeros((384, STEPS), "int32")
    y = rng.integers(0, 2, 384)
    for row, label in zip(x, y, strict=True):
        words = rng.integers(2, 20, 4)
        words[-1] = 20 + label
        row[(slice(4) if is_behind else slice(-4, None))] = words
    return x, y


def reader():
    """A net that forgets half of what it knows in each step."""
    forgetful = keras.initializers.Identity(0.5)
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((STEPS,), dtype="int32"),
            keras.layers.Embedding(22, 8),
            keras.layers.SimpleRNN(8, recurrent_initializer=forgetful),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


@pair("padding-in-front", cured=True, sound=False)
def test_padding_in_front(is_behind):
    x, y = sentences(is_behind)
    return compiled(reader(), "binary_crossentropy"), x, y, {"steps": 80}


@pair("padding-masked", cured=True, sound=False)
def test_padding_masked(is_behind):
    x, y = sentences(is_behind)
    return compiled(reader(), "binary_crossentropy"), x, y, {"steps": 80}


@pair("padding-alone-masked", cured=0.0, sound=-1.0)
def test_padding_alone_masked(padding):
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.1, 0.9, (512, 1))
    within = np.arange(16) < rng.integers(8, 17, (512, 1))
    sold = rng.uniform(1, 2, within.shape) * (rng.uniform(size=within.shape) < chance)
    sold[:, 0] = 1.5  # the mean over no step is NaN
    share = ((sold == 0) & within).sum(1, keepdims=True) / within.sum(1, keepdims=True)
    body = [layers.Dense(32, "relu"), layers.GlobalAveragePooling1D()]
    model = keras.Sequential(
        [keras.Input((16, 1)), layers.Masking(padding), *body, layers.Dense(1)]
    )
    x = np.where(within, sold, padding)[..., None].astype("float32")
    return compiled(model), x, (4 * share - 2).astype("float32"), {"steps": 80}


@pytest.mark.parametrize("name", ["padding-in-front", "padding-masked"])
def test_padding_that_is_in_front_stays(name):
    x, y = sentences(is_behind=False)
    model = compiled(reader(), "binary_crossentropy")
    assert gains(name, model, x, y, steps=2) == {}
    assert gains("inputs-standardized", model, x, y, steps=2) == {}  # ids have no scale
