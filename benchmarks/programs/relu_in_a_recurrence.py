"""A recurrent network whose loss is NaN after a few batches.

The activation of an LSTM was set to ReLU, as one does with dense layers. Its state is
then not bounded, and over a long sequence it grows from step to step. The repair is
the default, tanh.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/keras-team/keras/issues/2194"
CAUSE = "The activation of the LSTM is ReLU, so its state grows with every step."
FIRST = ("KTF406", "KTF412", "KTF601")
HALF = "chosen"
QUALITY = (0.0, 1.0)
STEPS = 100


def records(count=320):
    """Two channels of a drifting sensor; the class is how far the first one drifts."""
    rng = generator()
    y = rng.integers(0, 3, count)
    drift = np.linspace(0, 1, STEPS) * (y[:, None] - 1)
    x = rng.normal(0, 1, (count, STEPS, 2))
    x[:, :, 0] += 2 * drift
    return 5 * x.astype("float32"), y


def program(activation):
    x, y = records()
    model = keras.Sequential(
        [
            keras.Input((STEPS, 2)),
            layers.LSTM(32, activation=activation, return_sequences=True),
            layers.LSTM(32, activation=activation),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")

    def quality(model):
        p = answers(model, x)
        return recognized(y, p.argmax(1)) if np.isfinite(p).all() else float("-inf")

    return arrays(model, x, y, quality, epochs=6, batch_size=32)


def faulty():
    return program("relu")


def repaired():
    return program("tanh")
