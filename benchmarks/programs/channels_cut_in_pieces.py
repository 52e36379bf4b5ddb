"""A recurrent task that no network learns, since its axes were reshaped.

The records have the axes channel and time, and the network wants time and channel. A
`reshape` gives the right shape and cuts the channels into pieces: a step holds readings
of one channel at several times. The repair is to transpose.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/xinzzzhou/ScalableTransformer4HighDimensionMTSF/issues/4"
CAUSE = "The axes of channels and time were exchanged with `reshape`."
FIRST = ()
HALF = "chosen"
QUALITY = (0.06, 1.0)
CHANNELS, STEPS = 3, 40


def machines(count=800):
    """Three channels of which two swing together, and which of them does not."""
    rng = generator()
    y = rng.integers(0, CHANNELS, count)
    shared = rng.normal(size=(count, 1, STEPS))
    own = rng.normal(size=(count, CHANNELS, STEPS))
    apart = (np.arange(CHANNELS) == y[:, None])[..., None]
    return np.where(apart, own, shared + 0.2 * own).astype("float32"), y


def program(exchange):
    x, y = machines()
    x = exchange(x)
    model = keras.Sequential(
        [
            keras.Input((STEPS, CHANNELS)),
            layers.Conv1D(24, 1, activation="relu"),
            layers.Conv1D(24, 1, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(CHANNELS, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=15, batch_size=32)


def faulty():
    return program(lambda x: x.reshape(len(x), STEPS, CHANNELS))


def repaired():
    return program(lambda x: x.swapaxes(1, 2))
