"""A model of directions that is right in training and wrong in `predict`.

Each vector should have length 1. The layer divides by the norm along axis 0, which is
the batch: vectors shrink as the batch grows, and `predict` takes larger batches than
`fit`. The repair is the last axis.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/alireza-nasiri/SoundCLR/issues/4"
CAUSE = "The norm is taken along the axis of the batch."
FIRST = ("KTF428", "KTF421")
HALF = "held out"
QUALITY = (0.25, 0.89)


def winds(count=900):
    """Wind as east and north, in any strength, and one of sixteen directions."""
    rng = generator()
    angle = rng.uniform(0, 2 * np.pi, count)
    strength = rng.uniform(0.5, 1.5, (count, 1))
    x = strength * np.stack([np.cos(angle), np.sin(angle)], 1)
    return x.astype("float32"), (angle * 8 / np.pi).astype(int)


def program(axis):
    x, y = winds()
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Lambda(lambda x: x / (ops.norm(x, axis=axis, keepdims=True) + 1e-6)),
            layers.Dense(32, activation="relu", bias_initializer="ones"),
            layers.Dense(32, activation="relu"),
            layers.Dense(16, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=12, batch_size=4)


def faulty():
    return program(0)


def repaired():
    return program(-1)
