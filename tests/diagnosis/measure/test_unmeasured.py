"""What is unknown of a trained model is said, and nothing where all is known."""

import keras
import numpy as np
import pytest

from keras_trainfix import diagnose
from keras_trainfix.diagnosis.measure.unmeasured import unjudged, unmeasured
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


class Own(keras.Model):
    def train_step(self, *data):
        return {}


@pytest.mark.parametrize("steps", [0, 100])
def test_answers_without_a_comparison(steps):
    plain = net(8, loss="mse")
    own = Own(plain.inputs, plain.outputs)
    own.compile("adam")
    (line,) = unjudged(Snapshot(trained(own, steps), X, IDS))
    assert "(shapes (64, 8) and (64,))" in line
    assert "unknown" in line
    diagnosis = diagnose(own, X, IDS, fit=False)
    assert diagnosis.skipped["answers"] == line
    assert "; the answers were not compared with targets" in in_one_line(diagnosis)
    assert unjudged(Snapshot(plain, X, inputs(64, 8))) == []
    assert "not compared" not in str(diagnose(plain, X, inputs(64, 8), fit=False))


def in_one_line(diagnosis):
    return " ".join(str(diagnosis).split())


@pytest.mark.parametrize("steps", [0, 100])
def test_targets_that_only_the_loss_understands(steps):
    def odd(y_true, y_pred):
        return keras.ops.mean((y_pred[:, 0] - y_true[:, 1]) ** 2)

    model = trained(net(3, loss=odd), steps)
    diagnosis = diagnose(model, X, inputs(64, 5), fit=False)
    assert "loss against shuffled targets" in in_one_line(diagnosis)
    assert "No fault found" not in str(diagnosis)


def test_a_fault_of_the_targets_needs_no_further_word():
    diagnosis = diagnose(net(3, loss="mse"), X, inputs(64, 5), fit=False)
    assert not diagnosis.ok
    assert "answers" not in diagnosis.skipped


def test_without_targets_it_says_what_would_need_them():
    text = in_one_line(diagnose(net(loss="mse"), X, fit=False))
    assert "The compiled loss 'mean_squared_error' compares" in text
    assert "; the answers were not compared with targets" in text
    text = in_one_line(diagnose(net(), X, fit=False))
    assert "whether the model learns is unknown" in text
    assert "Incomplete: no fault in what could be checked of a model for an" in text


@pytest.mark.parametrize("loss", [None, "mse"])
def test_an_output_without_targets_is_named_if_it_is_trained(loss):
    entry = keras.Input((6,))
    outputs = {name: keras.layers.Dense(1, name=name)(entry) for name in "ab"}
    model = keras.Model(entry, outputs)
    model.compile("adam", {"a": "mse"} | ({"b": loss} if loss else {}))
    lines = unjudged(Snapshot(model, X, {"a": X[:, :1]}))
    named = ["There are no targets of 'b': its answers were not judged."]
    assert lines == (named if loss else [])
    assert unjudged(Snapshot(model, X, {"a": X[:, :1], "b": X[:, 1:2]})) == []


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
