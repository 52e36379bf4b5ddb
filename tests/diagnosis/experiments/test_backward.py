"""A backward pass leaves no trace, and takes as many samples as it can afford."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.experiments.backward import (
    affordable,
    gradients_of,
    has_loss,
    loss_of,
)
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.trial.runner import tensors_of
from tests.diagnosis.nets import inputs, net

X = inputs()
Y = X[:, :1]


def state(model):
    return [to_numpy(v) for v in [*model.variables, *model.metrics_variables]]


def test_nothing_is_left_of_a_pass():
    keras.utils.set_random_seed(1)
    parts = [layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((6,)), *parts, layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    snapshot = Snapshot(model, X, Y)
    before = state(model)
    batch = tensors_of(snapshot.sample, slice(None))
    with untouched(model):
        loss, gradients = gradients_of(
            model, lambda: loss_of(model, batch), model.trainable_variables
        )
    assert np.isfinite(loss)
    assert all(gradient.any() for gradient in gradients)
    for old, new in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_pass_is_that_of_fit():
    """The gradient is that of a step of gradient descent with rate 1."""
    model = net(loss="mse", optimizer=keras.optimizers.SGD(1.0))
    snapshot = Snapshot(model, X, Y)
    batch = tensors_of(snapshot.sample, slice(None))
    with untouched(model):
        _, gradients = gradients_of(
            model, lambda: loss_of(model, batch), model.trainable_variables
        )
    before = [to_numpy(v) for v in model.trainable_variables]
    model.fit(X, Y, batch_size=64, shuffle=False, verbose=0)
    for old, variable, gradient in zip(
        before, model.trainable_variables, gradients, strict=True
    ):
        np.testing.assert_allclose(old - to_numpy(variable), gradient, atol=1e-6)


class AddsLoss(layers.Layer):
    def call(self, x):
        self.add_loss(ops.mean(x**2))
        return x


def test_where_there_is_a_loss():
    adding = keras.Sequential([keras.Input((6,)), layers.Dense(2), AddsLoss()])
    adding.compile("adam")
    frozen = net(loss="mse")
    frozen.trainable = False
    expected = {
        "compiled": (net(loss="mse"), Y, True),
        "without targets": (net(loss="mse"), None, False),
        "not compiled": (net(), Y, False),
        "of a layer": (adding, None, True),
        "frozen": (frozen, Y, False),
        "of the wrong shape": (net(3, "softmax", "categorical_crossentropy"), Y, False),
    }
    for name, (model, y, has_one) in expected.items():
        assert has_loss(Snapshot(model, X, y)) == has_one, name


@pytest.mark.parametrize(("size", "most"), [(8, 64), (192, 10)])
def test_large_images_are_few(size, most):
    x = np.zeros((64, size, size, 3), "float32")
    keras.utils.set_random_seed(1)
    parts = [layers.Conv2D(64, 3, padding="same"), layers.Conv2D(64, 3, padding="same")]
    end = [layers.GlobalAveragePooling2D(), layers.Dense(1)]
    model = keras.Sequential([keras.Input(x.shape[1:]), *parts, *end])
    chosen = affordable(Snapshot(model, x))
    assert 4 <= len(chosen) <= most
    assert chosen[0] == 0
