"""A network of radial functions that answers the same for every row.

An own layer measures how near each row is to its centres, which are drawn between 0
and 1. The rows lie between 0 and 200, where all distances are so large that nothing is
near, and no gradient says in which direction to move. The repair is to scale the rows.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/PetraVidnerova/rbf_keras/issues/6"
CAUSE = "The radial units have centres far from the unscaled inputs: all give zero."
FIRST = ("KTF405: layer 'radial'", "KTF101", "KTF601: inputs standardized")
HALF = "chosen"
QUALITY = (0.0, 0.97)
COLUMNS = 3


class Radial(layers.Layer):
    """How near the inputs are to some centres, between 0 and 1."""

    def __init__(self, units):
        super().__init__()
        self.units = units

    def build(self, shape):
        uniform = keras.initializers.RandomUniform(0, 1)
        self.centres = self.add_weight(
            shape=(self.units, shape[-1]), initializer=uniform
        )
        self.narrow = self.add_weight(shape=(self.units,), initializer="ones")

    def call(self, x):
        squares = ops.sum(ops.square(x[:, None] - self.centres), -1)
        return ops.exp(-self.narrow * squares)

    def compute_output_shape(self, shape):
        return (shape[0], self.units)


def soils(count=1500):
    """Yield by nitrogen, rain and warmth, each with its own best value."""
    rng = generator()
    unit = rng.uniform(0, 1, (count, COLUMNS))
    y = np.exp(-8 * ((unit - [0.6, 0.4, 0.5]) ** 2).sum(1)) * 3 + 0.5 * unit[:, 0]
    return unit * [200, 150, 40], y[:, None].astype("float32")


def program(scaled):
    x, y = soils()
    x = x / x.max(0) if scaled else x
    x = x.astype("float32")
    model = keras.Sequential([keras.Input((COLUMNS,)), Radial(30), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=40, batch_size=32)


def faulty():
    return program(scaled=False)


def repaired():
    return program(scaled=True)
