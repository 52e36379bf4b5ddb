"""A network with batch normalization that is trained on one sample at a time.

With `batch_size=1` the mean of a batch is the sample itself. Each normalized unit is
0, whatever the input, and nothing behind can learn. The repair is a larger batch.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/microsoft/CNTK/issues/905"
CAUSE = "Batch normalization of a batch of one sample is 0 for every input."
FIRST = ("KTF307", "KTF305", "KTF301", "KTF428")
HALF = "held out"
QUALITY = (0.14, 1.0)


def wines(count=500):
    """Twelve measurements of three kinds that differ in pairs of them."""
    rng = generator()
    y = rng.integers(0, 3, count)
    x = rng.normal(size=(count, 12))
    sign = np.where(rng.random(count) < 0.5, 1, -1)
    for kind in range(3):
        of_kind = np.flatnonzero(y == kind)
        x[of_kind, 2 * kind] = 2.5 * sign[of_kind]
        x[of_kind, 2 * kind + 1] = 2.5 * sign[of_kind]
    return x.astype("float32"), y


def program(batch_size, epochs):
    x, y = wines()
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(32, use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dense(32, use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")

    def quality(model):
        return recognized(y, answers(model, x).argmax(1))

    return arrays(model, x, y, quality, epochs=epochs, batch_size=batch_size)


def faulty():
    return program(batch_size=1, epochs=3)


def repaired():
    return program(batch_size=32, epochs=30)
