"""A training that learns nothing after its first epoch.

A schedule multiplies the rate by a factor in every epoch. To switch it off, the factor
was set to 0, so the rate is 0 from the second epoch on. The repair is 1.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/LINCellularNeuroscience/VAME/issues/26"
CAUSE = "A callback of `fit` sets the learning rate to 0 after the first epoch."
FIRST = ("KTF402", "KTF419")
HALF = "chosen"
QUALITY = (0.28, 0.89)
RATE = 0.005


def tides(count=1000):
    """The level of the sea by the phases of moon and sun and by the wind."""
    rng = generator()
    moon, sun, wind = rng.uniform(-np.pi, np.pi, (3, count, 1))
    x = np.concatenate([moon, sun, wind], 1) / 2
    y = np.sin(2 * moon) + np.sin(2 * sun) + np.maximum(wind, 0) / 2
    return x.astype("float32"), y.astype("float32")


def program(factor):
    x, y = tides()
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(48, activation="tanh"),
            layers.Dense(48, activation="tanh"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(RATE), "mse")
    scheduler = keras.callbacks.LearningRateScheduler(
        lambda epoch: RATE * factor**epoch
    )

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=60, batch_size=64, callbacks=[scheduler])


def faulty():
    return program(0.0)


def repaired():
    return program(1.0)
