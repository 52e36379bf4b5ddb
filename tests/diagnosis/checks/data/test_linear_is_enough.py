"""Tasks for a linear model are noted; those that need a net are not."""

import keras
import numpy as np
from keras import layers

from tests.diagnosis.checks.data.learners import (
    X,
    Y,
    codes,
    findings,
    trained,
)
from tests.diagnosis.measure.tasks import BINARY, SPARSE, circle, xor
from tests.diagnosis.nets import net

IDS = np.digitize(Y[:, 0], [-0.6, 0.6])


def test_a_linear_task_is_noted_for_a_net_and_not_for_a_linear_model(rng):
    y = Y + 0.05 * rng.normal(size=Y.shape)
    (finding,) = findings(net(1, None, "mse"), X, y)
    assert (finding.code, finding.severity) == ("KTF132", "note")
    assert finding.evidence["linear_skill"] > 0.95
    linear = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    linear.compile("adam", "mse")
    assert codes(linear, X, y) == []


def test_an_autoencoder_is_no_linear_task():
    assert codes(net(6, None, "mse"), X, X) == []
    assert codes(net(6, None, "mse"), X, 2 * X) == ["KTF132"]


def test_classes_on_two_sides_of_a_plane(rng):
    y = rng.integers(0, 2, 256)
    x = (X + 5 * y[:, None]).astype("float32")
    (finding,) = findings(net(1, "sigmoid", BINARY), x, y)
    assert finding.code == "KTF132"
    assert finding.evidence["linear_accuracy"] >= 0.98
    assert codes(net(3, "softmax", SPARSE), X, IDS) == []


def test_a_net_that_is_worse_than_a_linear_model(rng):
    y = Y + 0.8 * rng.normal(size=Y.shape)
    model = net(1, None, "mse")
    assert codes(model, X, y) == []
    (finding,) = findings(trained(model), X, y)
    assert finding.code == "KTF132"
    assert finding.evidence["model_r2"] < finding.evidence["linear_skill"]


def test_nets_that_a_task_needs(rng):
    for x, y in (xor(rng), circle(rng)):
        model = net(2, "softmax", SPARSE, shape=(2,))
        assert codes(trained(model), x.astype("float32"), y) == []
    plane = (x[:, 0] > 0).astype(int)
    far = x + 5 * plane[:, None]
    assert codes(trained(model), far.astype("float32"), plane) == ["KTF132"]


def test_the_fix_of_a_wrong_head_has_the_right_one(rng):
    y = rng.integers(0, 2, 256)
    x = (X + 5 * y[:, None]).astype("float32")
    for activation in ("softmax", "sigmoid"):
        finding = next(
            f for f in findings(net(1, activation, BINARY), x, y) if f.code == "KTF132"
        )
        assert 'keras.layers.Dense(1, "sigmoid")' in finding.fix
    (finding,) = findings(net(1, "softmax", "mse"), X, Y)
    assert "keras.layers.Dense(1),\n" in finding.fix


def test_a_number_that_rests_on_few_samples_of_a_class_says_so(rng):
    for rows, words in ((4, "(with only 4 of class 1)"), (100, "")):
        y = (np.arange(256) >= 256 - rows).astype(int)
        x = (X + 9 * y[:, None]).astype("float32")
        (finding,) = findings(net(1, "sigmoid", BINARY), x, y)
        assert words in finding.message
        assert ("only" in finding.message) == bool(words)
