"""A critic that answers the mean return in every state.

The loss takes the last axis off the values and not off the returns. A column minus a
row is a square: each value is compared with the returns of the whole batch. The repair
is to take it off both.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/RLinf/RLinf/issues/1568"
CAUSE = "Returns of shape (batch, 1) minus values of shape (batch,) pair all with all."
FIRST = ("KTF209", "KTF212", "KTF601: mean_squared_error")
HALF = "chosen"
QUALITY = (0.01, 0.95)


def flights(count=1200):
    """Height and speed of a lander, and the return of its flight from there."""
    rng = generator()
    x = rng.uniform(-1, 1, (count, 2)).astype("float32")
    worth = np.cos(2 * x[:, :1] + x[:, 1:]) - x[:, 1:] ** 2
    returns = worth + rng.normal(0, 0.2, worth.shape)
    return x, returns.astype("float32"), worth


def of_all_pairs(returns, values):
    return ops.mean(ops.square(returns - ops.squeeze(values, -1)))


def of_each_state(returns, values):
    return ops.mean(ops.square(ops.squeeze(returns, -1) - ops.squeeze(values, -1)))


def program(loss):
    x, returns, worth = flights()
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(32, activation="tanh"),
            layers.Dense(32, activation="tanh"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), loss)

    def quality(model):
        return explained(worth, answers(model, x))

    return arrays(model, x, returns, quality, epochs=20, batch_size=32)


def faulty():
    return program(of_all_pairs)


def repaired():
    return program(of_each_state)
