"""Layers that a model calls and does not track."""

import keras
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.untracked_weights import (
    untracked_weights,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs
from tests.diagnosis.single import sequential

X = inputs(16)


class Plain:
    """An object that Keras does not look into."""

    def __init__(self, layer):
        self.layer = layer


class Net(keras.Model):
    """A net whose hidden layer is held in some way, or created in the call."""

    def __init__(self, hold):
        super().__init__()
        self.held = hold(layers.Dense(3, name="hidden")) if hold else None
        self.head = layers.Dense(1)

    def call(self, x):
        held = self.held
        if held is None:
            return self.head(layers.Dense(3, name="hidden")(x))
        if isinstance(held, Plain):
            held = held.layer
        if callable(held):
            return self.head(held(x))
        return self.head(
            next(iter(held.values() if isinstance(held, dict) else held))(x)
        )


def found(model):
    model(X[:1])
    return untracked_weights(Snapshot(model, X))


@pytest.mark.parametrize(
    ("hold", "is_new"),
    [(Plain, False), (lambda layer: lambda x: layer(x), False), (None, True)],
)
def test_layers_that_are_not_tracked(hold, is_new):
    (one,) = found(Net(hold))
    assert one == ("hidden", "Dense", 21, is_new)


@pytest.mark.parametrize(
    "hold", [lambda layer: layer, lambda layer: [layer], lambda layer: {"a": layer}]
)
def test_layers_that_are_tracked(hold):
    assert found(Net(hold)) == []


def test_a_layer_that_a_lambda_uses():
    hidden = layers.Dense(3)
    hidden.build((None, 6))
    used = layers.Lambda(lambda x: hidden(x), output_shape=(3,))
    assert [one.numbers for one in found(sequential(used, layers.Dense(1)))] == [21]
    assert found(sequential(hidden, layers.Dense(1))) == []


def test_frozen_layers_are_meant_to_stay():
    net = Net(Plain)
    assert found(net)
    net.held.layer.trainable = False
    assert found(net) == []
