"""A softmax over another axis than that of the classes is found, for any loss."""

import numpy as np
import pytest
from keras import layers, ops

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import run, sequential

X = inputs(64, 48).reshape(64, 4, 4, 3)
IDS = np.digitize(X[..., 0], [-0.5, 0.5])


def own_loss(y, p):
    return ops.mean(ops.square(y - p))


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "mse", own_loss])
def test_any_loss(loss):
    def net(axis):
        head = [layers.Dense(3), layers.Softmax(axis, name="soft")]
        return sequential(*head, shape=(4, 4, 3), loss=loss)

    y = np.eye(3, dtype="float32")[IDS]
    finding = run("KTF213", net(1), X, y)
    assert "layer 'soft' sum to one over axis 1 of (batch, 4, 4, 3)" in finding.message
    assert "3 classes on axis 3" in finding.message
    assert "axis=3" in finding.fix
    assert run("KTF213", net(3), X, y) is None


def test_channels_first():
    def net(axis):
        first = layers.Permute((3, 1, 2))
        return sequential(layers.Dense(3), first, layers.Softmax(axis), shape=(4, 4, 3))

    y = np.moveaxis(np.eye(3, dtype="float32")[IDS], -1, 1)
    assert run("KTF213", net(-1), X, y).evidence["targets"] == [1]
    assert run("KTF213", net(1), X, y) is None


def test_over_the_samples():
    def net(axis):
        soft = layers.Lambda(lambda v: ops.softmax(v, axis=axis), output_shape=(3,))
        return sequential(layers.Dense(3), soft, loss="categorical_crossentropy")

    x = inputs()
    y = np.eye(3, dtype="float32")[np.digitize(x[:, 0], [-0.5, 0.5])]
    assert "the samples of a batch" in run("KTF213", net(0), x, y).message
    assert run("KTF213", net(1), x, y) is None


def test_labels_of_several_kinds_are_not_judged():
    y = (X > 0).astype("float32")
    model = sequential(layers.Dense(3, "sigmoid"), shape=(4, 4, 3), loss="mse")
    wrong = sequential(layers.Dense(3), layers.Softmax(1), shape=(4, 4, 3))
    assert run("KTF213", model, X, y) is None
    assert run("KTF213", wrong, X, y) is None
    assert run("KTF213", wrong, X, IDS)
