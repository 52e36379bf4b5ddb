"""A classifier that drops nine of ten units because a number was taken over.

A model is ported from a framework whose dropout takes the share of units to keep.
The port passes the same 0.9 to `Dropout`, which takes the share to drop. The repair
is 0.1.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/bonlime/keras-deeplab-v3-plus/issues/4"
CAUSE = "`Dropout` takes the share that it drops; it was given the share to keep."
FIRST = ("KTF408", "KTF601: dropout")
HALF = "chosen"
QUALITY = (0.17, 1.0)


def spirals(count=1200):
    """Three arms of a spiral, as two coordinates."""
    rng = generator()
    y = rng.integers(0, 3, count)
    radius = rng.uniform(0.2, 1, count)
    angle = 2 * np.pi * y / 3 + 4 * radius + rng.normal(0, 0.15, count)
    x = 2 * np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return x.astype("float32"), y


def program(rate):
    x, y = spirals()
    model = keras.Sequential([keras.Input((2,))])
    for _ in range(3):
        model.add(layers.Dense(16, activation="relu"))
        model.add(layers.Dropout(rate))
    model.add(layers.Dense(3, activation="softmax"))
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=25, batch_size=32)


def faulty():
    return program(0.9)


def repaired():
    return program(0.1)
