"""A network of action values that stays flat where the states hardly differ.

The states of a control task are positions between 0.35 and 0.65. To the network all
inputs are nearly the same, and the slope that it needs is steep: it fits a straight
line. The repair is to center and to scale the states.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://stats.stackexchange.com/questions/280318"
CAUSE = "The inputs are between 0.35 and 0.65: far from zero, and nearly all the same."
FIRST = ("KTF101", "KTF601: inputs standardized")
HALF = "held out"
QUALITY = (0.21, 0.99)


def values(count=1500):
    """The values of moving left, moving right and staying, by position."""
    x = generator().uniform(0.35, 0.65, (count, 1))
    away = [np.abs(x + move - 0.5) for move in (-0.03, 0.03, 0)]
    return x.astype("float32"), np.concatenate(away, 1).astype("float32") / 0.15


def program(scaled):
    x, y = values()
    model = keras.Sequential(
        [
            keras.Input((1,)),
            layers.Dense(20, activation="tanh"),
            layers.Dense(20, activation="tanh"),
            layers.Dense(3),
        ]
    )
    model.compile(keras.optimizers.Adam(0.002), "mse")
    if scaled:
        x = (x - x.mean()) / x.std()

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=30, batch_size=32)


def faulty():
    return program(scaled=False)


def repaired():
    return program(scaled=True)
