"""A model of heights that answers zero for everything.

The targets lie on both sides of sea level, most of them below, and the last layer has
the activation ReLU like all others. What is below zero has no gradient there, and soon
nothing has. The repair is a last layer without activation.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/ProteomicsML/ProteomicsML/pull/203"
CAUSE = "The last layer is a ReLU, and most of the targets are negative."
FIRST = ("KTF202", "KTF403")
HALF = "chosen"
QUALITY = (-1.48, 0.99)


def sea_floor(count=1000):
    """Heights of the ground at places off a coast."""
    x = generator().uniform(-1, 1, (count, 2)).astype("float32")
    return x, (np.sin(3 * x[:, :1]) + np.cos(2 * x[:, 1:]) - 1.5).astype("float32")


def program(activation):
    x, y = sea_floor()
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(1, activation=activation),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), "mse")

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=15, batch_size=32)


def faulty():
    return program("relu")


def repaired():
    return program(None)
