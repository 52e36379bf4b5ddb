"""What float16 lacks is not confused with what no precision has."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.diagnosis.experiments.instruments.mixed_precision import (
    half_precision,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net

X = inputs()
Y = X[:, :1]


def halves(function, loss="mse"):
    """A net in float16 with a function inside."""
    keras.utils.set_random_seed(1)
    policy = "mixed_float16"
    hidden = layers.Dense(8, use_bias=False, dtype=policy, name="hidden")
    inside = layers.Lambda(function, dtype=policy, name="inside")
    last = layers.Dense(1, dtype="float32")
    model = keras.Sequential([keras.Input((6,)), hidden, inside, last])
    if loss:
        adam = keras.optimizers.Adam()
        model.compile(keras.optimizers.LossScaleOptimizer(adam), loss)
    return model


def length(h, epsilon):
    return ops.sqrt(ops.sum(h * h, axis=-1, keepdims=True)) + epsilon


@pytest.mark.parametrize("loss", ["mse", None])
@pytest.mark.parametrize(
    ("function", "is_finite", "in_float32"),
    [
        (lambda h: h, True, None),
        (lambda h: ops.square(1000 * h), False, True),
        (lambda h: 1 / (0 * h), False, False),
    ],
)
def test_outputs(function, is_finite, in_float32, loss):
    model = halves(function, loss)
    seen = half_precision(Snapshot(model, X, Y))
    assert (seen.is_finite, seen.is_finite_in_float32) == (is_finite, in_float32)
    assert seen.layer == (None if is_finite else "inside")
    assert model.layers[0].compute_dtype == "float16"


def test_gradients():
    """The root of a small number that is 0 in float16."""
    model = halves(lambda h: ops.sqrt(ops.square(h) * 0 + 1e-9))
    seen = half_precision(Snapshot(model, X, Y))
    assert (seen.is_finite, seen.is_finite_in_float32) == (False, True)
    fine = halves(lambda h: ops.sqrt(ops.square(h) * 0 + 1e-3))
    assert half_precision(Snapshot(fine, X, Y)).is_finite


def test_the_scale_of_the_loss():
    model = halves(lambda h: h)
    assert np.isnan(half_precision(Snapshot(model, X, Y)).scale)
    model.fit(X, Y, verbose=0)
    assert half_precision(Snapshot(model, X, Y)).scale > 1000


def test_models_without_float16():
    assert half_precision(Snapshot(net(loss="mse"), X, Y)) is None
    assert half_precision(Snapshot(halves(lambda h: h), X, Y))
