"""A critic that tells nothing apart, since its gradients are clipped to a thousandth.

A recipe clips the weights of a critic to a small number after each step. The program
gives the number to the optimizer instead, as `clipvalue`: no element of the gradient
is larger, and plain SGD hardly moves a weight. The repair is not to clip gradients.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/keras-team/keras-contrib/pull/16"
CAUSE = "`clipvalue` clips the gradients, by a number that was meant for weights."
FIRST = ("KTF402",)
HALF = "held out"
QUALITY = (0.09, 0.97)


def waves(count=1200):
    """Positions and times, and the height of a wave."""
    x = generator().uniform(-2, 2, (count, 2)).astype("float32")
    return x, 4 * np.sin(2 * x[:, :1] - x[:, 1:]).astype("float32")


def program(**clipped):
    x, y = waves()
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(48, activation="tanh"),
            layers.Dense(48, activation="tanh"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.SGD(0.01, **clipped), "mse")

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=25, batch_size=16)


def faulty():
    return program(clipvalue=0.001)


def repaired():
    return program()
