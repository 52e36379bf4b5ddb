"""An adapter of low rank that never adapts.

A frozen layer gets an addition, the product of two small matrices. One of them should
begin at 0, so that the addition does, and both do. The gradient of each is a multiple
of the other, and stays 0. The repair is to draw one of them at random.
"""

import keras
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/Guitaricet/relora/issues/18"
CAUSE = "Both factors of a product begin at 0, so neither has a gradient."
FIRST = ("KTF414", "KTF407", "KTF405", "KTF601: new initial weights")
HALF = "held out"
QUALITY = (0.05, 1.0)


class Adapter(layers.Layer):
    """A layer that stays as it is, plus the product of two small matrices."""

    def __init__(self, layer, initializer):
        super().__init__()
        self.layer, self.initializer = layer, initializer
        layer.trainable = False

    def build(self, shape):
        self.down = self.add_weight(shape=(shape[-1], 2), initializer=self.initializer)
        self.up = self.add_weight(shape=(2, self.layer.units), initializer="zeros")

    def call(self, x):
        return self.layer(x) + ops.matmul(ops.matmul(x, self.down), self.up)


def voices(count=800):
    """Features of voices, and a new task that a change of rank two solves."""
    rng = generator()
    x = rng.normal(size=(count, 16)).astype("float32")
    known = rng.normal(0, 0.1, (16, 6))
    change = rng.normal(size=(16, 2)) @ rng.normal(size=(2, 6))
    return x, (x @ (known + change)).astype("float32"), known


def program(initializer):
    x, y, known = voices()
    base = layers.Dense(6, use_bias=False)
    base.build((None, 16))
    base.set_weights([known])
    model = keras.Sequential([keras.Input((16,)), Adapter(base, initializer)])
    model.compile(keras.optimizers.Adam(0.01), "mse")

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=25, batch_size=32)


def faulty():
    return program("zeros")


def repaired():
    return program(keras.initializers.RandomNormal(stddev=0.2))
