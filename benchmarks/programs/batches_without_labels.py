"""A regression with few labels whose loss is NaN in the first epoch.

Only one sample in ten has a label; the others are marked with -1 and masked. The loss
is divided by the number of labels in the batch, and many a batch of eight has none:
0 / 0. The repair is to divide by at least one.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/keras-team/keras/pull/11643"
CAUSE = "The loss is divided by the number of labels in the batch, which may be 0."
FIRST = ("KTF412", "KTF409")
HALF = "chosen"
QUALITY = (float("-inf"), 0.84)


def soil(count=2400):
    """Moisture between 0 and 1 at places; nearly all probes were never read."""
    rng = generator()
    x = rng.uniform(-1, 1, (count, 3)).astype("float32")
    moisture = (2 + np.sin(3 * x[:, :1]) + x[:, 1:2] * x[:, 2:]) / 4
    read = rng.uniform(size=(count, 1)) < 0.1
    return x, np.where(read, moisture, -1).astype("float32"), moisture


def masked(fewest):
    def loss(y, p):
        known = ops.cast(y >= 0, "float32")
        error = ops.sum(known * ops.square(y - p))
        return error / ops.maximum(ops.sum(known), fewest)

    return loss


def program(fewest):
    x, y, moisture = soil()
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(32, activation="tanh"),
            layers.Dense(32, activation="tanh"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), masked(fewest))

    def quality(model):
        return explained(moisture, answers(model, x))

    return arrays(model, x, y, quality, epochs=12, batch_size=8)


def faulty():
    return program(fewest=0.0)


def repaired():
    return program(fewest=1.0)
