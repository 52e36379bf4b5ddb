"""A network that answers one half for every case of an exclusive or.

Two hidden sigmoids, plain SGD at its default rate, and 500 epochs of a single step
each. The loss falls a little, and the four answers stay near 0.5. The repair is Adam at
a rate of 0.05 and some more units.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained

URL = "https://github.com/keras-team/keras/issues/1295"
CAUSE = "SGD at 0.01 moves sigmoids hardly at all in 500 steps."
FIRST = ("KTF402", "KTF410")
HALF = "held out"
QUALITY = (0.01, 1.0)


def program(optimizer, units):
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    y = np.array([[0], [1], [1], [0]], "float32")
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(units, activation="sigmoid"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer, "binary_crossentropy")

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=500, batch_size=4, shuffle=False)


def faulty():
    return program(keras.optimizers.SGD(0.01), 2)


def repaired():
    return program(keras.optimizers.Adam(0.05), 8)
