"""A loss of two parts that takes samples where it means columns.

The first column of an answer is a number, the second a probability. The loss writes
`p[0]` and `p[1]` for them, which are the first two samples of the batch: one gets the
squared error in both columns, one the cross-entropy, and all others nothing. The
repair is `p[:, 0]` and `p[:, 1]`.
"""

import keras
import numpy as np
from keras import layers, losses

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/keras-team/keras/issues/6476"
CAUSE = "The loss indexes the batch where it means the columns: it sees two samples."
FIRST = ("KTF413",)
BACKEND = "tensorflow"  # torch raises
HALF = "chosen"
QUALITY = (0.02, 0.99)


def patients(count=1500):
    """A blood value, and whether it will be treated."""
    rng = generator()
    x = rng.normal(size=(count, 6))
    value = x[:, 0] - np.abs(x[:, 1]) + x[:, 2] * x[:, 3]
    treated = (np.abs(x[:, 4]) + x[:, 5] > 0.8).astype(float)
    return x.astype("float32"), np.stack([value, treated], 1).astype("float32")


def of_samples(y, p):
    return losses.mean_squared_error(y[0], p[0]) + losses.binary_crossentropy(
        y[1], p[1]
    )


def of_columns(y, p):
    return losses.mean_squared_error(y[:, :1], p[:, :1]) + losses.binary_crossentropy(
        y[:, 1:], p[:, 1:]
    )


def program(loss):
    x, y = patients()
    inputs = keras.Input((6,))
    hidden = layers.Dense(48, activation="relu")(inputs)
    hidden = layers.Dense(48, activation="relu")(hidden)
    heads = layers.Dense(1)(hidden), layers.Dense(1, activation="sigmoid")(hidden)
    model = keras.Model(inputs, layers.Concatenate()(heads))
    model.compile(keras.optimizers.Adam(0.005), loss)

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=50, batch_size=250)


def faulty():
    return program(of_samples)


def repaired():
    return program(of_columns)
