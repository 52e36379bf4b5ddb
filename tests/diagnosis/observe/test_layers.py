"""Kinds of layers, and what their units do."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.observe.layer_outputs import LayerOutput
from keras_trainfix.diagnosis.observe.layers import (
    dead_share,
    is_relu,
    kernel_columns,
    spread_left,
    units_of,
    worst_dead_share,
)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (lambda: layers.Dense(2, "relu"), True),
        (lambda: layers.Conv2D(2, 3, activation="relu6"), True),
        (lambda: layers.ReLU(), True),
        (lambda: layers.Activation("relu"), True),
        (lambda: layers.ReLU(negative_slope=0.1), False),
        (lambda: layers.LeakyReLU(), False),
        (lambda: layers.Dense(2, "tanh"), False),
        (lambda: layers.Dense(2), False),
        (lambda: layers.GRUCell(2, activation="relu"), False),
    ],
)
def test_what_is_a_relu(layer, expected):
    assert is_relu(layer()) is expected


def test_units_are_last_wherever_the_channels_are(rng):
    values = rng.normal(size=(4, 3, 5, 5))
    first = layers.Conv2D(3, 1, data_format="channels_first")
    last = layers.Conv2D(5, 1, data_format="channels_last")
    assert units_of(first, values).shape == (100, 3)
    np.testing.assert_array_equal(units_of(first, values)[:25, 1], values[0, 1].ravel())
    assert units_of(last, values).shape == (60, 5)


def output(values, activation="relu"):
    layer = layers.Dense(values.shape[-1], activation)
    return LayerOutput(layer, values.astype("float32"))


def test_the_share_of_dead_units():
    values = np.array([[0, 1, 0, 2], [0, 0, 0, 3]])
    assert dead_share(output(values)) == 0.5
    assert worst_dead_share([output(values), output(values[:, 1:])]) == 0.5
    assert worst_dead_share([output(values, "tanh")]) == 0  # no ReLU
    assert worst_dead_share([]) == 0


def test_the_spread_that_is_left(rng):
    wide = rng.normal(size=(64, 8))
    outputs = [output(wide), output(0.25 * wide), output(9 * wide)]
    assert spread_left(outputs) == pytest.approx(0.25)  # the last is no hidden layer
    assert spread_left(outputs[:2]) == 1  # one hidden layer


@pytest.mark.parametrize(
    ("layer", "shape", "columns"),
    [
        (lambda: layers.Dense(3), (4,), (4, 3)),
        (lambda: layers.Conv2D(3, 2), (8, 8, 5), (20, 3)),
        (lambda: layers.Conv2DTranspose(3, 2), (8, 8, 5), (20, 3)),
    ],
)
def test_a_column_of_the_kernel_is_a_unit(layer, shape, columns):
    layer = layer()
    layer.build((None, *shape))
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    found = kernel_columns(layer)
    assert found.shape == columns
    of_unit = (
        kernel[..., 1, :] if "Transpose" in type(layer).__name__ else kernel[..., 1]
    )
    np.testing.assert_allclose(found[:, 1], of_unit.ravel())
