"""A model of several columns in which every branch reads the last one.

Each column of a table gets a branch, cut out by a `Lambda` that is made in a loop.
Python looks the index up when the layer runs, so all branches take the last column.
The repair binds the index when the layer is made.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/tensorflow/tensorflow/issues/56169"
CAUSE = "The `Lambda` layers look up the loop's index late: all take the last column."
FIRST = ("KTF421",)
HALF = "chosen"
QUALITY = (0.01, 1.0)
COLUMNS = 5


def prices(count=1500):
    """The price of a flat by five properties; the last one is on or off."""
    rng = generator()
    x = rng.normal(size=(count, COLUMNS))
    x[:, -1] = x[:, -1] > 0
    y = 2 * x[:, 0] - x[:, 1] * x[:, 2] + np.abs(x[:, 3]) + 0.3 * x[:, 4]
    return x.astype("float32"), y[:, None].astype("float32")


def late(inputs):
    return [
        layers.Lambda(lambda x: x[:, column : column + 1])(inputs)  # noqa: B023
        for column in range(COLUMNS)
    ]


def bound(inputs):
    return [
        layers.Lambda(lambda x, column=column: x[:, column : column + 1])(inputs)
        for column in range(COLUMNS)
    ]


def program(cut):
    x, y = prices()
    inputs = keras.Input((COLUMNS,))
    branches = [layers.Dense(8, activation="tanh")(part) for part in cut(inputs)]
    hidden = layers.Concatenate()(branches)
    hidden = layers.Dense(32, activation="relu")(hidden)
    hidden = layers.Dense(32, activation="relu")(hidden)
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    model.compile(keras.optimizers.Adam(0.005), "mse")

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=20, batch_size=32)


def faulty():
    return program(late)


def repaired():
    return program(bound)
