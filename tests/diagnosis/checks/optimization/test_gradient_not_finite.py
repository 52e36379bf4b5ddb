"""A gradient that is not finite is found before the first step."""

import keras
import numpy as np
from keras import layers, ops

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import assert_page, run, sequential

X = inputs()
Y = X[:, :1]


def pairs(epsilon=0.0, same=1):
    """A net of the distance of two inputs; some pairs are the same input twice."""
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential([keras.Input((6,)), layers.Dense(4)])
    left, right = keras.Input((6,)), keras.Input((6,))
    distance = layers.Lambda(
        lambda v: ops.sqrt(ops.sum((v[0] - v[1]) ** 2, 1, keepdims=True) + epsilon),
        output_shape=(1,),
        name="distance",
    )
    model = keras.Model([left, right], distance([encoder(left), encoder(right)]))
    model.compile("adam", "mse")
    other = X[::-1].copy()
    other[:same] = X[:same]
    return model, [X, other], Y


def test_a_distance_of_0():
    finding = run("KTF412", *pairs())
    assert finding.severity == "error"
    assert finding.evidence["samples"] == [0]
    assert finding.evidence["layer"] == "distance"
    for part in ("'distance'", "sample 0 (two of its inputs are equal)", "although"):
        assert part in finding.message
    assert "samples 0, 1" in run("KTF412", *pairs(same=2)).message
    assert run("KTF412", *pairs(epsilon=1e-7)) is None
    assert run("KTF412", *pairs(same=0)) is None


def test_a_loss_that_is_not_finite_either():
    model = sequential(layers.Dense(1, kernel_initializer="zeros"))
    model.compile("adam", lambda y, p: ops.mean(y * ops.log(p), axis=-1))
    finding = run("KTF412", model, X, np.abs(Y))
    assert "and the loss is" in finding.message
    assert "the loss itself" in finding.message
    model.compile("adam", lambda y, p: ops.mean(y * ops.log(p + 0.1), axis=-1))
    assert run("KTF412", model, X, np.abs(Y)) is None


def test_missing_targets_that_where_hides():
    y = np.where(np.arange(len(Y))[:, None] % 3, Y, np.nan)

    def hidden_after(y, p):
        return ops.mean(ops.where(ops.isnan(y), 0.0, ops.square(y - p)))

    def hidden_before(y, p):
        known = ops.where(ops.isnan(y), p, y)
        return ops.mean(ops.square(known - p))

    model = sequential(layers.Dense(1), loss=hidden_after)
    assert "although the loss is" in run("KTF412", model, X, y).message
    assert run("KTF412", sequential(layers.Dense(1), loss=hidden_before), X, y) is None
    assert run("KTF412", sequential(layers.Dense(1)), X, y) is None  # NaN by the loss


def test_the_page():
    assert_page("KTF412")
