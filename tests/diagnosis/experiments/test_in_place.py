"""Changes in place leave no trace."""

import keras
import numpy as np
import pytest

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.experiments.in_place import (
    all_trainable,
    attributes,
    passing_through,
    with_attributes,
    with_calls,
)

X = np.ones((2, 3), "float32")


def net():
    return keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(3, name="one"), keras.layers.ReLU()]
    )


def test_a_call_is_replaced_and_put_back():
    model = net()
    before = to_numpy(model(X))
    with with_calls(model.layers, passing_through)(model):
        np.testing.assert_array_equal(to_numpy(model(X)), X)
    np.testing.assert_array_equal(to_numpy(model(X)), before)
    assert "call" not in vars(model.layers[0])


def test_attributes_come_back_after_an_exception():
    layer = net().layers[0]
    linear = layer.activation
    change = with_attributes([(layer, "activation", keras.activations.relu)])
    seen = []

    def fail():
        with change(None):
            seen.append(layer.activation)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert seen == [keras.activations.relu]
    assert layer.activation is linear


def test_an_attribute_that_was_not_there_is_removed():
    layer = net().layers[0]
    with attributes([(layer, "surely_new", 1)]):
        assert layer.surely_new == 1
    assert not hasattr(layer, "surely_new")


def test_frozen_layers_are_frozen_again():
    model = net()
    model.layers[0].trainable = False
    with all_trainable(model.layers)(model):
        assert len(model.trainable_variables) == 2
    assert model.trainable_variables == []
    assert not model.layers[0].kernel.trainable
