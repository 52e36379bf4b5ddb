"""A model of counts whose loss is NaN from the first epoch.

Numbers of events are modeled with the loss `poisson` and a head without activation.
The loss takes the logarithm of the answer, and about half of the first answers are
negative. The repair is an activation that is positive.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/keras-team/keras/issues/590"
CAUSE = "The loss `poisson` takes the logarithm of answers that may be negative."
FIRST = ("KTF205", "KTF412", "KTF409: logarithm")
HALF = "chosen"
QUALITY = (-1.89, 0.91)


def claims(count=2000):
    """Numbers of claims of policies with four standardized features."""
    rng = generator()
    x = rng.normal(size=(count, 4)).astype("float32")
    rate = np.exp(0.8 * x[:, 0] - 0.5 * x[:, 1] + 0.4 * x[:, 2] * x[:, 3] + 1)
    return x, rng.poisson(rate).astype("float32")[:, None], rate


def program(activation):
    x, y, rate = claims()
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(32, activation="tanh"),
            layers.Dense(32, activation="tanh"),
            layers.Dense(1, activation=activation),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), "poisson")

    def quality(model):
        return explained(rate, answers(model, x))

    return arrays(model, x, y, quality, epochs=20, batch_size=64)


def faulty():
    return program(None)


def repaired():
    return program("exponential")
