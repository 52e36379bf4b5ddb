"""A network of 64 hidden units that does no more than one of them could.

All weights were set to the same number before training, so that runs can be compared.
Then all units of a layer answer the same, get the same gradient, and stay the same. The
repair is to keep the random weights and to fix the seed.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/keras-team/keras/issues/16539"
CAUSE = "All weights of a layer begin with the same value, so its units stay equal."
FIRST = ("KTF407", "KTF421")
HALF = "chosen"
QUALITY = (0.0, 0.97)


def hills(count=1000):
    """Heights of a landscape with hills in a row."""
    x = generator().uniform(-1, 1, (count, 2)).astype("float32")
    return x, np.cos(5 * x[:, :1] - 3 * x[:, 1:]).astype("float32")


def program(initializer):
    x, y = hills()
    model = keras.Sequential([keras.Input((2,))])
    for _ in range(2):
        model.add(layers.Dense(64, activation="relu", kernel_initializer=initializer))
    model.add(layers.Dense(1, kernel_initializer=initializer))
    model.compile(keras.optimizers.Adam(0.005), "mse")

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=25, batch_size=32)


def faulty():
    return program(keras.initializers.Constant(0.05))


def repaired():
    return program("glorot_uniform")
