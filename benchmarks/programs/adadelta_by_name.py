"""An autoencoder that does not converge because Adadelta has another default.

The autoencoder of a well-known tutorial converges fast in old Keras and hardly at all
in a newer one. It is compiled with `"adadelta"`, whose default learning rate became
0.001; the method is meant for 1. The repair is to say so.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/tensorflow/tensorflow/issues/39432"
CAUSE = "Adadelta has a default learning rate of 0.001, a thousandth of what it needs."
FIRST = ("KTF402",)
HALF = "chosen"
QUALITY = (-1.32, 0.89)


def pictures(count=2000, size=12):
    """Soft spots of light, three in each picture."""
    rng = generator()
    grid = np.arange(size)
    x = np.zeros((count, size, size))
    for _ in range(3):
        row, column = rng.uniform(2, size - 2, (2, count, 1))
        across = np.exp(-((grid - row) ** 2) / 4)
        along = np.exp(-((grid - column) ** 2) / 4)
        x += across[:, :, None] * along[:, None]
    return np.minimum(x, 1).reshape(count, -1).astype("float32")


def program(optimizer):
    x = pictures()
    model = keras.Sequential(
        [
            keras.Input((144,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(144, activation="sigmoid"),
        ]
    )
    model.compile(optimizer, "binary_crossentropy")

    def quality(model):
        return explained(x, answers(model, x))

    return arrays(model, x, x, quality, epochs=40, batch_size=64)


def faulty():
    return program("adadelta")


def repaired():
    return program(keras.optimizers.Adadelta(1.0))
