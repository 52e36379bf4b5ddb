"""Layers without a gradient are told from those whose gradient is 0."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.diagnosis.experiments.instruments.gradients_missing import (
    missing_gradients,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net

X = inputs()
Y = X[:, :1]


def branches(cut=None, names=("one", "two"), **settings):
    """A net of two branches; a function follows the first."""
    keras.utils.set_random_seed(1)
    image = keras.Input((6,))
    one = layers.Dense(8, "relu", name=names[0], **settings)(image)
    one = layers.Lambda(cut, name="cut")(one) if cut else one
    two = layers.Dense(8, "relu", name=names[1])(image)
    last = layers.Dense(1, name="last")(layers.concatenate([one, two]))
    model = keras.Model(image, last)
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize(
    ("cut", "missing"),
    [
        (None, []),
        (ops.stop_gradient, ["one"]),
        (lambda h: ops.cast(ops.cast(h, "int32"), "float32"), ["one"]),
        (ops.relu, []),
    ],
)
def test_a_branch(cut, missing):
    seen = missing_gradients(Snapshot(branches(cut), X, Y))
    assert (seen.layers, seen.kernels) == (missing, 3)
    assert seen.share == pytest.approx(48 / 112 if missing else 0)


def test_a_gradient_of_0_is_there():
    """Dead units, and a kernel behind the layer that begins at 0."""
    dead = branches()
    dead.get_layer("one").bias.assign(np.full(8, -99.0))
    zero = branches()
    zero.get_layer("last").kernel.assign(np.zeros((16, 1)))
    for model in (dead, zero):
        assert missing_gradients(Snapshot(model, X, Y)).layers == []
    cut = missing_gradients(Snapshot(branches(ops.stop_gradient), X, Y))
    assert cut.layers == ["one"]


def test_an_output_without_a_loss():
    image = keras.Input((6,))
    p, q = layers.Dense(2, name="p")(image), layers.Dense(2, name="q")(image)
    model = keras.Model(image, [p, q])
    model.compile("adam", ["mse", None])
    seen = missing_gradients(Snapshot(model, X, [X[:, :2], X[:, :2]]))
    assert (seen.layers, seen.kernels) == ([], 2)


def test_frozen_layers_do_not_count():
    model = branches(ops.stop_gradient)
    model.get_layer("one").trainable = False
    model.compile("adam", "mse")
    seen = missing_gradients(Snapshot(model, X, Y))
    assert (seen.layers, seen.kernels) == ([], 2)


def test_without_a_loss():
    assert missing_gradients(Snapshot(net(), X, Y)) is None
    assert missing_gradients(Snapshot(net(loss="mse"), X, Y)).kernels == 2
