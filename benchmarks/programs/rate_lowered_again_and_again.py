"""A training that comes to a standstill after a few epochs.

The schedule is to lower the rate by a fifth every three epochs. It multiplies the rate
that Keras passes to it by all that should be gone since the start, so that each step
down counts again in every later epoch. The repair is to multiply the first rate.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/kiudee/cs-ranking/issues/58"
CAUSE = "The schedule applies its whole decay to the current rate in every epoch."
FIRST = ("KTF402",)
HALF = "chosen"
QUALITY = (0.14, 0.96)
RATE, EVERY, DROP = 0.002, 3, 0.8


def from_current(epoch, rate):
    return rate * DROP ** ((1 + epoch) // EVERY)


def from_first(epoch, rate):
    return RATE * DROP ** ((1 + epoch) // EVERY)


def tides(count=2000):
    """The level of the sea by the hours of moon and sun, and by the wind."""
    rng = generator()
    x = rng.uniform(-1, 1, (count, 4))
    y = np.sin(5 * x[:, 0]) + 0.6 * np.sin(4 * x[:, 1]) + x[:, 2] * x[:, 3]
    return x.astype("float32"), y[:, None].astype("float32")


def program(schedule):
    x, y = tides()
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(64, activation="tanh"),
            layers.Dense(64, activation="tanh"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(RATE), "mse")
    lower = keras.callbacks.LearningRateScheduler(schedule)

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=40, batch_size=32, callbacks=[lower])


def faulty():
    return program(from_current)


def repaired():
    return program(from_first)
