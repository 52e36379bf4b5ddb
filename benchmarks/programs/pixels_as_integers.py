"""A network that stays at chance because its pixels were divided as integers.

Screenshots of a game are sorted into those with another player and those without.
The loss does not move in any epoch. The pixels were divided by 255 in an integer
array, so nearly all of them became 0. The repair is to divide as floats.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/keras-team/keras/issues/255"
CAUSE = "Pixels from 0 to 255 were divided in an integer array, so all became 0."
FIRST = ("KTF103",)
HALF = "chosen"
QUALITY = (0.0, 1.0)


def screenshots(count=600, size=16):
    """Noisy landscapes; in half of them stands a bright figure."""
    rng = generator()
    x = rng.integers(30, 150, (count, size, size, 3))
    y = rng.permutation(count) % 2
    for i in np.flatnonzero(y):
        row, column = rng.integers(0, size - 6, 2)
        x[i, row : row + 6, column : column + 3] += 90
    return x.astype("uint8"), y


def program(x, y):
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.GlobalMaxPooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=15, batch_size=32)


def faulty():
    x, y = screenshots()
    x = x.astype("int32")
    x //= 255
    return program(x, y)


def repaired():
    x, y = screenshots()
    return program(x / np.float32(255), y)
