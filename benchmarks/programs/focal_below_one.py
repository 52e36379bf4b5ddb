"""A detector whose focal loss turns NaN after an epoch.

The loss has `(1 - p) ** gamma` with `gamma` below 1, whose derivative is infinite at
p = 1. As soon as the network is sure of one sample, the gradient is NaN. The repair
is to clip the answers.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/mkocabas/focal-loss-keras/issues/5"
CAUSE = "The derivative of `(1 - p) ** 0.5` is infinite where the answer is 1."
FIRST = ("KTF412",)
HALF = "chosen"
QUALITY = (float("-inf"), 1.0)


def patches(count=1500):
    """Patches of 6x6 pixels; one in five holds a bright spot of any place."""
    rng = generator()
    y = (rng.random(count) < 0.2).astype("float32")
    x = rng.normal(size=(count, 36))
    place = rng.integers(0, 36, count)
    x[np.arange(count), place] += np.where(y, rng.uniform(6, 40, count), 0)
    return x.astype("float32"), y[:, None]


def focal(clip):
    def loss(y, p):
        p = ops.clip(p, clip, 1 - clip) if clip else p
        right = y * p + (1 - y) * (1 - p)
        return -ops.mean((1 - right) ** 0.5 * ops.log(right + 1e-7), axis=-1)

    return loss


def program(clip):
    x, y = patches()
    model = keras.Sequential(
        [
            keras.Input((36,)),
            layers.Reshape((36, 1)),
            layers.Conv1D(16, 1, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), focal(clip))

    def quality(model):
        p = answers(model, x)
        return recognized(y, p > 0.5) if np.isfinite(p).all() else float("-inf")

    return arrays(model, x, y, quality, epochs=20, batch_size=32)


def faulty():
    return program(0)


def repaired():
    return program(1e-6)
