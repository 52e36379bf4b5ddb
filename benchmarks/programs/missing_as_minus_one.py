"""A classifier of several properties that says no to all of them.

Each molecule was tested for a few of eight properties, and -1 stands for a test that
was not made. The binary cross-entropy takes -1 for a number below no, and the sigmoids
sink to 0. The repair leaves these targets out.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, generator

URL = "https://github.com/keras-team/keras/issues/3893"
CAUSE = "Missing labels are -1, and the loss takes them for labels."
FIRST = ("KTF124", "KTF202", "KTF206", "KTF208")
BACKEND = "tensorflow"
HALF = "held out"
QUALITY = (0.0, 0.92)
TESTS = 8


def molecules(count=1200):
    """Features of molecules, the tests that were made, and all properties."""
    rng = generator()
    x = rng.normal(size=(count, 12)).astype("float32")
    has = x @ rng.normal(size=(12, TESTS)) > 0
    made = rng.uniform(size=has.shape) < 0.35
    return x, np.where(made, has, -1).astype("float32"), has


def of_tests_made(y, p):
    made = ops.cast(y >= 0, "float32")
    error = ops.binary_crossentropy(ops.maximum(y, 0), p)
    return ops.sum(made * error, -1) / (ops.sum(made, -1) + 1e-6)


def program(loss):
    x, y, has = molecules()
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(TESTS, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), loss)

    def quality(model):
        said = answers(model, x) > 0.5
        return float(said[has].mean() - said[~has].mean())

    return arrays(model, x, y, quality, epochs=20, batch_size=32)


def faulty():
    return program("binary_crossentropy")


def repaired():
    return program(of_tests_made)
