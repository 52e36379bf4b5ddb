"""Inputs on another scale, and padding moved."""

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.thresholds import EFFECT
from tests.diagnosis.experiments.benches import compiled, gains, mlp, table

X, Y = table()


@pytest.mark.parametrize(("scale", "cures"), [(1000.0, True), (1.0, False)])
def test_inputs_standardized(scale, cures):
    x = X * np.array([1, 1, 1, scale], "float32") + scale - 1
    model = compiled(mlp(activation="tanh"))
    (value,) = gains("inputs-standardized", model, x, Y).values()
    assert (value > EFFECT) == cures


def images(scale):
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 0.2, (256, 8, 8, 1))
    y = rng.integers(0, 2, 256)
    x[y == 1, 2:5, 2:5] += 0.7
    return (x * scale).astype("float32"), y.astype("int32")


@pytest.mark.parametrize(("first", "cures"), [(1 / 255, True), (1.0, False)])
def test_a_second_scaling_undone(first, cures):
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
    ((words, value),) = gains("inputs-rescaled", compiled(model, loss), x, y).items()
    assert words == "the inputs times 255"
    assert (value > EFFECT) == cures


def sentences(is_behind):
    rng = np.random.default_rng(0)
    x = np.zeros((512, 40), "int32")
    y = rng.integers(0, 2, 512)
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
            keras.Input((40,), dtype="int32"),
            keras.layers.Embedding(22, 8),
            keras.layers.SimpleRNN(8, recurrent_initializer=forgetful),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


@pytest.mark.parametrize("name", ["padding-in-front", "padding-masked"])
def test_padding(name):
    x, y = sentences(is_behind=True)
    model = compiled(reader(), "binary_crossentropy")
    (value,) = gains(name, model, x, y).values()
    assert value > EFFECT
    assert not model.layers[0].mask_zero


@pytest.mark.parametrize("name", ["padding-in-front", "padding-masked"])
def test_padding_that_is_in_front_stays(name):
    x, y = sentences(is_behind=False)
    model = compiled(reader(), "binary_crossentropy")
    assert gains(name, model, x, y) == {}
    assert gains("inputs-standardized", model, x, y) == {}  # ids have no scale
