"""A restorer of signals whose training ends after four epochs of eighty.

The training stops early if the loss has not improved by 0.1, a number from a
classifier. Here the loss is small from the start, since the signals are: no improvement
is so large. The repair is the default, zero.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/keras-team/keras/issues/10924"
CAUSE = "`min_delta` of `EarlyStopping` is larger than the whole loss."
FIRST = ("KTF420",)
HALF = "chosen"
QUALITY = (-0.06, 0.95)
STEPS = 40


def signals(count=800):
    """Beats of a heart with the hum of the mains, and the same without."""
    rng = generator()
    time = np.linspace(0, 1, STEPS)
    at = rng.uniform(0.2, 0.8, (count, 1))
    wide = rng.uniform(0.03, 0.08, (count, 1))
    y = 0.4 * np.exp(-(((time - at) / wide) ** 2))
    phase = rng.uniform(0, 2 * np.pi, (count, 1))
    hum = 0.3 * np.sin(2 * np.pi * 10 * time + phase)
    x = y + hum + rng.normal(0, 0.02, y.shape)
    return x.astype("float32"), y.astype("float32")


def program(delta):
    x, y = signals()
    model = keras.Sequential(
        [
            keras.Input((STEPS,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(STEPS),
        ]
    )
    model.compile(keras.optimizers.Adam(0.0003), "mse")
    stop = keras.callbacks.EarlyStopping("loss", min_delta=delta, patience=3)

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=80, batch_size=64, callbacks=[stop])


def faulty():
    return program(delta=0.1)


def repaired():
    return program(delta=0)
