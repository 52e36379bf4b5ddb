"""A network that fits the third power of a number and not the fourth.

Numbers from -100 to 100 go in raw, and their fourth powers, up to a hundred million,
are the targets. The first layer is saturated, and the head would have to grow for
millions of steps. The repair is to scale both.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained

URL = "https://stackoverflow.com/questions/52800582"
CAUSE = "The targets go up to 1e8, which a new head needs millions of steps to reach."
FIRST = ("KTF111", "KTF101", "KTF404", "KTF601: targets standardized")
HALF = "chosen"
QUALITY = (-0.55, 1.0)


def powers():
    x = np.linspace(-100, 100, 1000)[:, None]
    return x, x**4


def program(x, y):
    model = keras.Sequential(
        [
            keras.Input((1,)),
            layers.Dense(50, activation="sigmoid"),
            layers.Dense(50, activation="elu"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), "mse")

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=60, batch_size=32)


def faulty():
    return program(*powers())


def repaired():
    x, y = powers()
    return program(x / 50, (y - y.mean()) / y.std())
