"""A classifier of sensor readings that gives the same answer to all.

The readings are a series of single numbers, and the first layer is
`LayerNormalization`. It subtracts from each number the mean over the features of that
step, which is the number itself. The repair is to normalize over the steps.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/pytorch/pytorch/issues/108956"
CAUSE = "`LayerNormalization` over one feature is 0 for every input."
FIRST = ("KTF421", "KTF422")
HALF = "chosen"
QUALITY = (0.0, 1.0)
STEPS = 32


def readings(count=600):
    """Series that rise, that fall, or that swing."""
    rng = generator()
    y = rng.integers(0, 3, count)
    time = np.linspace(-1, 1, STEPS)
    swing = np.sin(8 * time + rng.uniform(0, 6, (count, 1)))
    x = np.choose(y[:, None], [time, -time, swing])
    x = 20 + 3 * x + rng.normal(0, 0.5, x.shape)
    return x[..., None].astype("float32"), y


def program(axis):
    x, y = readings()
    model = keras.Sequential(
        [
            keras.Input((STEPS, 1)),
            layers.LayerNormalization(axis=axis),
            layers.Conv1D(16, 5, activation="relu"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=12, batch_size=32)


def faulty():
    return program(-1)


def repaired():
    return program((1, 2))
