"""A forecast of failing loans in which only one column is left.

The table is prepared by `keras.utils.normalize(x)`. It does not standardize columns: it
divides each row by its length, and the length is the income. The repair is to subtract
the mean of each column and to divide by its deviation.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://stackoverflow.com/questions/52571752"
CAUSE = "`keras.utils.normalize` divides each row by its length, not the columns."
FIRST = ("KTF101", "KTF601: inputs standardized")
HALF = "chosen"
QUALITY = (0.0, 0.97)


def loans(count=2000):
    """Income, age, years in the job, children, loans before; and whether one failed."""
    rng = generator()
    z = rng.normal(size=(count, 5))
    income = 40000 + 9000 * z[:, 0]
    age = 45 + 12 * z[:, 1]
    years = 8 + 3 * z[:, 2]
    children, before = 2 + z[:, 3], 4 + 1.5 * z[:, 4]
    y = (z[:, 1] * z[:, 2] + z[:, 3] - z[:, 4] + 0.3 * z[:, 0] > 0).astype(int)
    return np.stack([income, age, years, children, before], 1), y


def by_column(x):
    return (x - x.mean(0)) / x.std(0)


def program(prepared):
    x, y = loans()
    x = prepared(x).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")

    def quality(model):
        return recognized(y, answers(model, x) > 0.5)

    return arrays(model, x, y, quality, epochs=30, batch_size=32)


def faulty():
    return program(keras.utils.normalize)


def repaired():
    return program(by_column)
