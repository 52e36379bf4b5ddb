"""Trained programs that are as good as their data allow, or judged by other means."""

import keras
import numpy as np
import pytest

from keras_trainfix import diagnose
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.checks.symptoms.cases import OURS, steps_done
from tests.diagnosis.checks.symptoms.test_far_from_possible import beside
from tests.diagnosis.nets import inputs, judge, net, view

X = inputs(256)
ALL = [*OURS, "KTF131"]


def codes(model, x, y, weights=None):
    one = view(model, x, y, weights)
    found = [judge(code, one) for code in ALL if CHECKS[code].scope == "output"]
    return [f.code for f in found if f is not None and f.severity != "note"]


@pytest.mark.parametrize("scale", [1.0, 1e-2])
def test_a_weak_signal(rng, scale):
    """The best answer has an R2 of .06, and the model nearly has it."""
    signal = 0.25 * X[:, :1]
    y = (scale * (signal + rng.normal(size=signal.shape))).astype("float32")
    assert codes(*beside(scale * signal), y) == []
    assert codes(*beside(scale * rng.normal(size=y.shape)), y) != []


def test_clicks_that_are_rare(rng):
    """3 % positives: 256 samples are too few to see that the order is right."""
    y = np.zeros((256, 1), "float32")
    y[:8] = 1
    scores = rng.normal(size=y.shape) + y
    answers = 1 / (1 + np.exp(-(0.2 * scores + 1)))  # weighted: all above one half
    model, x = beside(answers, loss="binary_crossentropy")
    assert codes(model, x, y) == []
    balanced = (np.arange(256) % 2).astype("float32")[:, None]
    assert codes(model, x, balanced) != []


def test_targets_that_are_answers_of_the_model():
    model = steps_done(net(4, loss="mse"), 500)
    y = model.predict(X, verbose=0)
    y[np.arange(256), np.arange(256) % 4] += inputs(256, 1)[:, 0] * 9
    assert codes(model, X, y) == []
    assert codes(model, X, inputs(256, 4, seed=5)) != []


def test_weights_that_are_advantages(rng):
    noise = rng.normal(size=(256, 1))
    model, x = beside(noise)
    y = X[:, :1]
    assert codes(model, x, y, rng.normal(size=256)) == []
    assert codes(model, x, y, np.ones(256)) != []


@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_a_raw_table_that_still_approaches_the_mean(rng, loss):
    """Answers are far below the targets, nearer than before, and all alike."""
    y = (150 + 75 * X[:, :1]).astype("float32")
    model, x = beside(0.3 * rng.normal(size=y.shape), 300, loss)
    before = Snapshot(model, x, y)
    model.layers[-1].bias.assign([20.0])
    now = Snapshot(model, x, y, previous=before).views()[0]
    assert judge("KTF501", now) is None
    assert judge("KTF501", view(model, x, y)).severity == "error"


def test_a_placeholder_for_targets(rng):
    def identity(y, p):
        return keras.ops.mean(p)

    model, x = beside(rng.uniform(size=(256, 1)), loss=identity)
    dummy = rng.uniform(size=(256, 1)).astype("float32")
    assert codes(model, x, dummy) == []
    assert codes(model, x, X[:, :1]) == []


@pytest.mark.parametrize("steps", [0, 500])
def test_embeddings_of_class_ids(steps):
    """Metric learning: the ids are compared with each other, not with the answers."""

    class Own(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, *_, **__):
            y = keras.ops.cast(keras.ops.reshape(y, (-1,)), "int32")
            same = keras.ops.cast(y[:, None] == y[None], y_pred.dtype)
            likely = keras.ops.log_softmax(y_pred @ keras.ops.transpose(y_pred))
            return -keras.ops.mean(same * likely)

    plain = net(8)
    model = Own(plain.inputs, plain.outputs)
    model.compile("adam")
    ids = np.digitize(X[:, 0], [-0.5, 0.5])
    diagnosis = diagnose(steps_done(model, steps), X, ids, fit=False)
    assert diagnosis.ok
    assert "nearest other answer" in diagnosis.skipped["answers"]
    model.compile("adam", "sparse_categorical_crossentropy")  # embeddings as scores
    assert not diagnose(model, X, ids, fit=False).ok


def test_an_output_without_targets():
    entry = keras.Input((6,))
    outputs = [keras.layers.Dense(n, name=f"out_{n}")(entry) for n in (1, 2)]
    model = keras.Model(entry, outputs)
    model.compile("adam", ["mse", None])
    signal = np.tanh(X[:, :1] + X[:, 1:2])
    assert diagnose(model, X, [signal, None], fit=False).ok
    assert not diagnose(model, X, [signal * np.nan, None], fit=False).ok
