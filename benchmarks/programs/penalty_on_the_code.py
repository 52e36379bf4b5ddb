"""A sparse autoencoder that reconstructs the same gray picture for every input.

A tutorial adds an L1 penalty on the code, with a factor that fitted when Keras
averaged it. Where it is added up, it is worth more than the reconstruction, and the
code becomes 0. The repair is a smaller factor.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/fchollet/keras-blog/issues/5"
CAUSE = "The L1 penalty on the code outweighs the reconstruction."
FIRST = ("KTF408", "KTF415", "KTF601: activity penalties")
HALF = "held out"
QUALITY = (-0.01, 1.0)


def strokes(count=2000, size=10):
    """Pictures of one horizontal and one vertical stroke."""
    rng = generator()
    x = np.zeros((count, size, size), "float32")
    for i in range(count):
        row, column = rng.integers(0, size, 2)
        x[i, row] = x[i, :, column] = 1
    return x.reshape(count, -1)


def program(factor):
    x = strokes()
    model = keras.Sequential(
        [
            keras.Input((100,)),
            layers.Dense(
                32,
                activation="relu",
                activity_regularizer=keras.regularizers.L1(factor),
            ),
            layers.Dense(100, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy")

    def quality(model):
        return explained(x, answers(model, x))

    return arrays(model, x, x, quality, epochs=20, batch_size=64)


def faulty():
    return program(0.1)


def repaired():
    return program(1e-5)
