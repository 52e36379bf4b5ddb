"""Functions in a model that are finite only for some arguments."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.diagnosis.experiments.treatments.functions import finite_range
from keras_trainfix.diagnosis.thresholds import EFFECT
from tests.diagnosis.experiments.benches import compiled, gains, mlp, pair, table

X, Y = table()


@pair("argument-clipped", cured=True, sound=False)
def test_argument_clipped(is_bare):
    """The logarithm of what ReLU sets to 0."""
    epsilon = 0.0 if is_bare else 1e-3
    wave = layers.Lambda(lambda x: ops.sin(ops.log(x + epsilon)))
    return compiled(mlp(layers.Dense(16, "relu"), wave)), X, Y


def test_operations_of_the_graph_are_functions_too():
    inputs = keras.Input((4,))
    wave = ops.sin(ops.log(layers.Dense(16, "relu")(inputs)))
    model = compiled(keras.Model(inputs, layers.Dense(1)(wave)))
    ((words, value),) = gains("argument-clipped", model, X, Y).items()
    assert words == "the input of 'log' clipped to [1e-07, inf]"
    assert value > EFFECT
    assert not any("call" in vars(one) for one in model.operations)


def test_weights_make_a_layer_more_than_a_function():
    assert gains("argument-clipped", compiled(mlp(layers.Dense(4))), X, Y) == {}


@pytest.mark.parametrize(
    ("function", "low", "high"),
    [
        (ops.log, 1e-7, np.inf),
        (ops.exp, -np.inf, 80.0),
        (ops.sqrt, 1e-7, np.inf),
        (lambda x: 1 / (1 - x), -np.inf, 1 - 1e-6),
        (lambda x: ops.log(x / (1 - x)), 1e-7, 1 - 1e-6),
    ],
)
def test_the_range_of_a_function(function, low, high):
    model = mlp(layers.Lambda(function))
    assert finite_range(model.layers[1]) == (low, high)


@pytest.mark.parametrize("function", [ops.tanh, ops.square, lambda x: x - ops.mean(x)])
def test_functions_without_limits(function):
    assert finite_range(mlp(layers.Lambda(function)).layers[1]) is None
