"""A regression of several measurements whose weights are NaN after one step.

Measurements that are missing are NaN in the targets, and the loss replaces their error
by 0 with `where`. The loss is finite. The derivative of the branch that was not taken
is NaN, and 0 times NaN is NaN. The repair is to replace the target before the error.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/pytorch/pytorch/issues/52248"
CAUSE = "`where` hides the NaN of missing targets, and their gradient is still NaN."
FIRST = ("KTF412", "KTF113")
HALF = "held out"
QUALITY = (float("-inf"), 0.99)


def blood(count=1500):
    """Three values of a blood count, each missing in every third sample."""
    rng = generator()
    x = rng.normal(size=(count, 4)).astype("float32")
    y = np.stack([x[:, 0] * x[:, 1], np.abs(x[:, 2]), np.tanh(x[:, 3] - x[:, 0])], 1)
    missing = rng.uniform(size=y.shape) < 0.33
    return x, np.where(missing, np.nan, y).astype("float32"), y


def hidden_after(y, p):
    return ops.mean(ops.where(ops.isnan(y), 0.0, ops.square(y - p)))


def hidden_before(y, p):
    known = ops.logical_not(ops.isnan(y))
    error = ops.where(known, y, 0.0) - p
    return ops.mean(ops.cast(known, "float32") * ops.square(error))


def program(loss):
    x, y, complete = blood()
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(48, activation="relu"),
            layers.Dense(48, activation="relu"),
            layers.Dense(3),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), loss)

    def quality(model):
        return explained(complete, answers(model, x))

    return arrays(model, x, y, quality, epochs=20, batch_size=32)


def faulty():
    return program(hidden_after)


def repaired():
    return program(hidden_before)
