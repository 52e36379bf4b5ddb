"""A network whose last layer rounds, so that no weight ever moves.

A user wants whole numbers and adds a layer of his own that rounds. The loss is the
same in every epoch: the derivative of rounding is 0 almost everywhere. The repair is
to train without the layer and to round what `predict` returns.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/keras-team/keras/issues/2221"
CAUSE = "The last layer rounds, and the derivative of rounding is 0."
FIRST = ("KTF414", "KTF405: round", "KTF211")
HALF = "held out"
QUALITY = (-5.2, 1.0)


class Round(layers.Layer):
    """Gives the nearest whole number."""

    def call(self, inputs):
        return keras.ops.round(inputs)


def counts(count=1500):
    """How many of ten switches are on, in three groups that overlap."""
    x = generator().integers(0, 2, (count, 10)).astype("float32")
    groups = (slice(0, 5), slice(3, 8), slice(5, 10))
    return x, np.stack([x[:, group].sum(1) for group in groups], 1)


def program(*last):
    x, y = counts()
    model = keras.Sequential(
        [
            keras.Input((10,)),
            layers.Dense(20, activation="relu"),
            layers.Dense(20, activation="relu"),
            layers.Dense(3),
            *last,
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), "mean_absolute_error")

    def quality(model):
        return explained(y, np.round(answers(model, x)))

    return arrays(model, x, y, quality, epochs=15, batch_size=32)


def faulty():
    return program(Round())


def repaired():
    return program()
