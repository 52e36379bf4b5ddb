"""A classifier of five classes that never saw the fifth.

The samples lie in the order of their classes, and `validation_split` takes the last
part of them. The accuracy is high in training and 0 in validation, in every epoch. The
repair is to shuffle the samples before.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/keras-team/keras/issues/8346"
CAUSE = "`validation_split` takes the end of sorted samples: all of two classes."
FIRST = ("KTF127", "KTF504")
HALF = "chosen"
QUALITY = (0.0, 0.98)


def grains(count=900):
    """Lengths and colors of grains of three kinds, kind after kind."""
    rng = generator()
    y = np.repeat([0, 1, 2], count // 3)
    centers = np.array([[0, 0, 1], [1, 0, -1], [-1, 1, 0]])
    return (centers[y] + rng.normal(0, 0.35, (count, 3))).astype("float32"), y


def program(order):
    x, y = grains()
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(0.005), loss, metrics=["accuracy"])
    order = order(len(x))
    x, y = x[order], y[order]

    def quality(model):
        rare = y == 2
        found = answers(model, x).argmax(1)
        return recognized(rare, found == 2)

    return arrays(model, x, y, quality, validation_split=0.34, epochs=12, batch_size=32)


def faulty():
    return program(np.arange)


def repaired():
    return program(lambda count: generator().permutation(count))
