"""Layers whose output no weight and no input changes."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.diagnosis.experiments.instruments.constant_layers import (
    constant_layers,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs
from tests.diagnosis.single import sequential

pytestmark = pytest.mark.filterwarnings(
    "ignore:(?s).*You are using a softmax over axis"
)
X = inputs(64, 24).reshape(64, 8, 3)


def constant(model, x=X):
    return constant_layers(Snapshot(model, x))


def attention(*scores):
    """A net whose attention weights are `scores` of the steps."""
    given = keras.Input((8, 3))
    weights = given
    for layer in scores:
        weights = layer(weights)
    return keras.Model(given, layers.Dense(1)(layers.Dot(1)([weights, given])))


class Additive(keras.layers.Layer):
    """An attention written out, with the axis of its softmax."""

    def __init__(self, axis):
        super().__init__(name="additive")
        self.axis = axis
        self.hidden, self.score = layers.Dense(4, "tanh"), layers.Dense(1)

    def call(self, x):
        weights = ops.softmax(self.score(self.hidden(x)), axis=self.axis)
        return ops.sum(weights * x, axis=1)


class OwnWeights(keras.layers.Layer):
    """The same with a vector of its own."""

    def __init__(self, axis):
        super().__init__(name="own")
        self.axis = axis

    def build(self, shape):
        self.vector = self.add_weight(shape=(shape[-1], 1))

    def call(self, x):
        weights = ops.softmax(ops.tanh(x @ self.vector), axis=self.axis)
        return ops.sum(weights * x, axis=1)


@pytest.mark.parametrize(
    ("scores", "name"),
    [
        ([layers.Dense(1, "softmax", name="a")], "a"),
        ([layers.Conv1D(1, 1, activation="softmax", name="a")], "a"),
        ([layers.Dense(1, name="b"), layers.Softmax(name="a")], "a"),
        ([layers.Dense(1, name="b"), layers.Activation("softmax", name="a")], "a"),
        (
            [
                layers.Dense(1, name="b"),
                layers.Lambda(ops.softmax, output_shape=(8, 1), name="a"),
            ],
            "a",
        ),
    ],
)
def test_softmax_over_one_unit(scores, name):
    (one,) = constant(attention(*scores))
    assert (one.layer.name, one.axis, one.shape[1:]) == (name, 2, (8, 1))
    assert constant(attention(layers.Dense(1), layers.Softmax(axis=1))) == []


@pytest.mark.parametrize("kind", [Additive, OwnWeights])
def test_softmax_inside_a_layer(kind):
    (one,) = constant(sequential(kind(-1), layers.Dense(1), shape=(8, 3)))
    assert one.layer.name == kind(-1).name
    assert constant(sequential(kind(1), layers.Dense(1), shape=(8, 3))) == []


def test_softmax_in_the_model_itself():
    class Net(keras.Model):
        def __init__(self, axis):
            super().__init__()
            self.axis, self.score, self.head = axis, layers.Dense(1), layers.Dense(1)

        def call(self, x):
            weights = ops.softmax(self.score(x), axis=self.axis)
            return self.head(ops.sum(weights * x, axis=1))

    for axis, found in ((-1, 1), (1, 0)):
        model = Net(axis)
        model(X[:1])
        assert len(constant(model)) == found


def test_normalization_over_one_number():
    def net(units):
        hidden = [layers.Dense(units), layers.LayerNormalization(name="norm")]
        return sequential(*hidden, layers.Dense(1))

    (one,) = constant(net(1), inputs())
    assert (one.layer.name, one.axis, one.value) == ("norm", None, 0)
    assert constant(net(2), inputs()) == []


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dense(4, kernel_initializer="zeros", name="a"),
        layers.Dense(
            4, "relu", bias_initializer=keras.initializers.Constant(-99), name="a"
        ),
        layers.Dense(
            4, "tanh", bias_initializer=keras.initializers.Constant(99), name="a"
        ),
        layers.BatchNormalization(gamma_initializer="zeros", name="a"),
    ],
)
def test_what_other_weights_would_bring_back(layer):
    assert constant(sequential(layer, layers.Dense(1)), inputs()) == []


def test_heads_and_attention_over_one_key_are_left_out():
    head = sequential(layers.Dense(4), layers.Dense(1, "softmax"))
    assert constant(head, inputs()) == []
    given = keras.Input((8, 3))
    key = layers.Lambda(lambda x: x[:, :1], output_shape=(1, 3))(given)
    attended = layers.MultiHeadAttention(2, 4)(given, key)
    model = keras.Model(given, layers.Dense(1)(layers.Flatten()(attended)))
    assert constant(model) == []


def test_a_mixture_of_one_component_says_so_in_its_answer():
    def mixture(*after):
        given = keras.Input((6,))
        parts = layers.Dense(1, "softmax")(given), layers.Dense(1)(given)
        answer = layers.Concatenate()(parts)
        for layer in after:
            answer = layer(answer)
        return keras.Model(given, answer)

    assert constant(mixture(), inputs()) == []
    assert len(constant(mixture(layers.Dense(1)), inputs())) == 1


def test_positions_made_of_weights_alone():
    class Positions(keras.layers.Layer):
        def build(self, shape):
            self.table = self.add_weight(shape=shape[1:])

        def call(self, x):
            return ops.broadcast_to(self.table, ops.shape(x))

    given = keras.Input((8, 3))
    added = layers.Add()([given, Positions()(given)])
    assert constant(keras.Model(given, layers.Dense(1)(added))) == []


def test_weights_come_back():
    model = sequential(layers.Dense(1), layers.LayerNormalization(), layers.Dense(1))
    before = model.get_weights()
    assert constant(model, inputs())
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_few_dead_units_behind_small_numbers_come_back():
    off = keras.initializers.Constant(-1.0)
    dead = layers.Dense(2, "relu", bias_initializer=off)
    assert constant(sequential(dead, layers.Dense(1)), inputs() / 100) == []
    normal = layers.LayerNormalization()
    assert constant(sequential(layers.Dense(1), normal, layers.Dense(1)), inputs())
