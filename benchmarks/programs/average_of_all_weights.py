"""A training whose loss falls and whose model answers as if it were new.

The optimizer keeps a moving average of the weights, which replaces them at the end.
With a momentum of 0.9999 it forgets nothing in the 400 steps of this training: it is
the weights of the beginning. The repair is a momentum that fits the training.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/Nerogar/OneTrainer/issues/889"
CAUSE = "The average of the weights has a momentum that needs 10000 steps to move."
FIRST = ("KTF308",)
HALF = "chosen"
QUALITY = (0.01, 0.95)


def lenses(count=1280):
    """Where a ray leaves a lens, by its height and angle."""
    x = generator().uniform(-1, 1, (count, 2)).astype("float32")
    return x, np.sin(4 * x[:, :1] + 2 * x[:, 1:]).astype("float32")


def program(momentum):
    x, y = lenses()
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(48, activation="tanh"),
            layers.Dense(48, activation="tanh"),
            layers.Dense(1),
        ]
    )
    optimizer = keras.optimizers.Adam(0.005, use_ema=True, ema_momentum=momentum)
    model.compile(optimizer, "mse")

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=20, batch_size=64)


def faulty():
    return program(0.9999)


def repaired():
    return program(0.98)
