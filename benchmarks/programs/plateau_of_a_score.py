"""A training that stands still because its learning rate is cut while it improves.

`ReduceLROnPlateau` watches a score as if it were a loss, as its default mode did with
any metric of an unknown name. Each improvement counts as none, and after a few epochs
the learning rate is next to nothing. The repair is `mode="max"`.
"""

import keras
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/keras-team/keras/issues/11964"
CAUSE = "A callback of `fit` lowers the learning rate whenever the score improves."
FIRST = (
    "KTF419",
    "KTF402",
)
HALF = "chosen"
QUALITY = (0.06, 0.99)


def ripples(count=1200):
    """The height of crossing ripples at points of a pond."""
    x = generator().uniform(-1, 1, (count, 2)).astype("float32")
    y = ops.sin(4 * x[:, :1]) + ops.cos(4 * x[:, 1:])
    return x, ops.convert_to_numpy(y)


def score(y, p):
    """The share of the variance that is explained."""
    return 1 - ops.mean(ops.square(y - p)) / ops.var(y)


def program(mode):
    x, y = ripples()
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(48, activation="tanh"),
            layers.Dense(48, activation="tanh"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.002), "mse", metrics=[score])
    plateau = keras.callbacks.ReduceLROnPlateau(
        monitor="score", mode=mode, factor=0.1, patience=3, min_lr=1e-8
    )

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=60, batch_size=64, callbacks=[plateau])


def faulty():
    return program("min")


def repaired():
    return program("max")
