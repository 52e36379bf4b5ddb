"""Clipped gradients, and initial weights of Keras."""

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.thresholds import EFFECT
from tests.diagnosis.experiments.benches import compiled, gains, mlp, table

X, Y = table()


def test_gradients_clipped():
    model = mlp(keras.layers.Dense(16, "relu"))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.where(np.arange(len(X))[:, None] % 40 == 0, X * 20, X)
    (value,) = gains("gradients-clipped", model, x.astype("float32"), Y).values()
    assert value > EFFECT


def test_clipping_that_changes_little():
    (value,) = gains("gradients-clipped", compiled(mlp()), X, Y).values()
    assert abs(value) < EFFECT


def test_gradients_that_are_clipped_already():
    model = mlp()
    model.compile(keras.optimizers.Adam(0.01, clipnorm=1.0), "mse")
    assert gains("gradients-clipped", model, X, Y) == {}


@pytest.mark.parametrize(("initializer", "cures"), [("zeros", True), (None, False)])
def test_default_initializers(initializer, cures):
    settings = {"kernel_initializer": initializer} if initializer else {}
    model = mlp(keras.layers.Dense(16, "relu", **settings), **settings)
    before = model.get_weights()
    (value,) = gains("default-initializers", compiled(model), X, Y).values()
    assert (value > EFFECT) == cures
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
