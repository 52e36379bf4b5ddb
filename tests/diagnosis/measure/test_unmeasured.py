"""What is unknown of a trained model is said, and nothing where all is known."""

import keras
import numpy as np
import pytest

from keras_trainfix import diagnose
from keras_trainfix.diagnosis.measure.unmeasured import unmeasured
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net

X = inputs(64)
IDS = np.arange(64) % 2


def trained(model, steps=100):
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(steps)
    return model


def said(model, y, steps=100):
    return unmeasured(Snapshot(trained(model, steps), X, y))


def test_answers_without_a_comparison():
    class Own(keras.Model):
        def train_step(self, *data):
            return {}

    plain = net(8, loss="mse")
    own = Own(plain.inputs, plain.outputs)
    own.compile("adam")
    (line,) = said(own, IDS)
    assert "cannot be compared" in line
    assert "cannot be compared" in str(diagnose(own, X, IDS))
    assert said(own, IDS, steps=0) == []
    assert said(plain, inputs(64, 8)) == []


def binary():
    return net(1, "sigmoid", "binary_crossentropy")


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.zeros(64, int), "All 64 labels"),
        (np.arange(64) // 61, "3 of class 1"),
    ],
)
def test_labels_that_say_little(y, words):
    (line,) = said(binary(), y)
    assert words in line
    assert said(binary(), IDS) == []


def test_masks_most_of_whose_rows_are_zero():
    conv = keras.layers.Conv2D(2, 1, activation="softmax")
    model = keras.Sequential([keras.Input((4, 4, 1)), conv])
    model.compile("adam", "categorical_crossentropy")
    x = inputs(64, 16).reshape(64, 4, 4, 1)
    y = np.eye(2)[(x[..., 0] > 0).astype(int)]
    assert unmeasured(Snapshot(trained(model), x, y)) == []
    y[:, 1:] = 0
    y[:, 0, 1:] = 0
    (line,) = unmeasured(Snapshot(model, x, y))
    assert "6.2% of the labels" in line


def test_targets_that_do_not_vary():
    (line,) = said(net(loss="mse"), np.ones((64, 1), "float32"))
    assert "do not vary" in line
    assert said(net(loss="mse"), X[:, :1]) == []
    assert said(net(loss="mse"), None) == []
