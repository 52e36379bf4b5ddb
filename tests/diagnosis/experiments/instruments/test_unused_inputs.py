"""An input is unused if neither answers nor losses depend on it."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.diagnosis.experiments.instruments.unused_inputs import (
    unused_inputs,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs

X = [inputs(64, 5), inputs(64, 4)]


def keys(model, x, y=None):
    model.compile("adam", "mse")
    return [one.key for one in unused_inputs(Snapshot(model, x, y))]


def two(join, second=None):
    a, b = keras.Input((5,), name="a"), keras.Input((4,), name="b")
    hidden = layers.Dense(3, "tanh")(a)
    other = layers.Dense(3, "tanh")(b if second is None else second(a, b))
    return keras.Model([a, b], layers.Dense(1)(join(hidden, other)))


class AddsLoss(layers.Layer):
    """Uses its second input for a loss only."""

    def call(self, first, second):
        self.add_loss(ops.mean((first - second) ** 2))
        return first


class InTraining(layers.Layer):
    def call(self, first, second, training=False):
        return first + second if training else first


class Own(keras.Model):
    def __init__(self, name):
        super().__init__()
        self.chosen, self.head = name, layers.Dense(1)

    def call(self, x):
        return self.head(x[self.chosen])


def test_a_branch_of_the_wrong_tensor():
    assert keys(two(ops.add, lambda a, b: a), X) == [1]
    assert keys(two(ops.add), X) == []


@pytest.mark.parametrize("layer", [AddsLoss, InTraining])
def test_what_only_training_uses_is_used(layer):
    assert keys(two(layer()), X) == []


def test_a_branch_whose_weights_are_0_is_used():
    def gated(a, b):
        return a + layers.Dense(3, kernel_initializer="zeros")(b)

    assert keys(two(gated), X) == []


def test_a_model_of_the_user():
    x = dict(zip("ab", X, strict=True))
    assert keys(Own("a"), x) == ["b"]
    assert keys(Own("b"), x) == ["a"]


def test_an_input_that_does_not_vary_is_not_judged():
    assert keys(two(ops.add, lambda a, b: a), [X[0], np.ones_like(X[1])]) == []


def test_weights_stay_and_one_input_is_not_asked():
    model = two(ops.add)
    before = model.get_weights()
    keys(model, X)
    assert all(map(np.array_equal, before, model.get_weights()))
    single = keras.Sequential([keras.Input((5,)), layers.Dense(1)])
    assert unused_inputs(Snapshot(single, X[0])) is None
