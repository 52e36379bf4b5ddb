"""Samples and layers whose gradient is not finite are found, and nothing else."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.diagnosis.experiments.instruments.gradients_finite import (
    Place,
    finite_gradients,
    narrowed,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net

X = inputs()
Y = X[:, :1]


class Root(layers.Layer):
    """The length of a vector, or a smooth one."""

    def __init__(self, epsilon, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def call(self, x):
        square = ops.sum(x**2, axis=-1, keepdims=True)
        return ops.sqrt(square + self.epsilon)


def lengths(epsilon=0.0):
    """A net of the length of its features, which are 0 where the inputs are."""
    keras.utils.set_random_seed(1)
    parts = [layers.Dense(4, use_bias=False), Root(epsilon, name="root")]
    model = keras.Sequential([keras.Input((6,)), *parts, layers.Dense(1)])
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize("bad", [[], [3], [20, 40], [0, 1, 2, 3, 4, 5]])
def test_the_samples_are_found(bad):
    x = X.copy()
    x[bad] = 0
    seen = finite_gradients(Snapshot(lengths(), x, Y))
    assert seen.bad == bad[:4]
    assert seen.is_finite == (not bad)
    assert seen.place == (Place("root", "in") if bad else None)
    assert np.isfinite(seen.loss)
    assert finite_gradients(Snapshot(lengths(1e-7), x, Y)).is_finite


class InItsCall(keras.Model):
    """The length is taken in the code of the model, between its layers."""

    def __init__(self):
        super().__init__()
        self.first = layers.Dense(4, use_bias=False, name="first")
        self.last = layers.Dense(1, name="last")

    def call(self, x):
        h = self.first(x)
        return self.last(ops.sqrt(ops.sum(h**2, axis=-1, keepdims=True)))


def test_code_that_is_no_layer():
    keras.utils.set_random_seed(1)
    model = InItsCall()
    model.compile("adam", "mse")
    model(X[:2])
    x = X.copy()
    x[5] = 0
    seen = finite_gradients(Snapshot(model, x, Y))
    assert (seen.bad, seen.place) == ([5], Place("first", "behind"))


def distance(y, p):
    return ops.sqrt(ops.sum((y - p) ** 2, axis=-1))


def test_the_loss_itself():
    model = net(loss=distance)
    for weight in model.trainable_variables:
        weight.assign(np.zeros(weight.shape))
    y = Y.copy()
    y[7] = 0
    seen = finite_gradients(Snapshot(model, X, y))
    assert (seen.bad, seen.place) == ([7], None)
    assert finite_gradients(Snapshot(model, X, Y)).is_finite


class Powers(layers.Layer):
    """`x` to the power of a half of a weight that is 0."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(1,), initializer="zeros")

    def call(self, x):
        return x * ops.sqrt(self.scale)


def test_a_weight():
    model = keras.Sequential([keras.Input((6,)), Powers(name="powers")])
    model.compile("adam", "mse")
    seen = finite_gradients(Snapshot(model, X, X))
    assert not seen.is_finite
    assert seen.place.layer == "powers"


@pytest.mark.parametrize("where", ["inputs", "targets", "weights"])
def test_what_was_not_finite_before_has_another_name(where):
    x, y, model = X.copy(), Y.copy(), net(loss="mse")
    assert finite_gradients(Snapshot(model, x, y)).is_finite
    if where == "weights":
        model.layers[0].bias.assign(np.full(16, np.nan))
    else:
        (x if where == "inputs" else y)[0] = np.nan
    assert finite_gradients(Snapshot(model, x, y)) is None


def test_models_of_other_kinds():
    a, b = keras.Input((6,), name="a"), keras.Input((2,), name="b")
    h = layers.Dense(8, "relu")(layers.concatenate([a, b]))
    model = keras.Model([a, b], {"p": layers.Dense(1)(h), "q": layers.Dense(3)(h)})
    model.compile("adam", {"p": "mse"})
    x = {"a": X, "b": X[:, :2]}
    assert finite_gradients(Snapshot(model, x, {"p": Y})).is_finite
    assert finite_gradients(Snapshot(net(), X, Y)) is None
    assert finite_gradients(Snapshot(net(loss="mse"), X)) is None


def test_numbers_that_are_bad_only_together():
    assert narrowed(lambda some: len(some) > 1, np.arange(20)) == []
    assert narrowed(lambda some: 17 in some, np.arange(20)) == [17]
