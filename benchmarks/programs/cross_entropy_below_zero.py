"""An autoencoder whose loss is negative and sinks without end.

Pictures were standardized, and the autoencoder keeps the sigmoid and the binary
cross-entropy of a tutorial for pixels between 0 and 1. Answers go to 0 or 1 wherever
that is on the right side. The repair is to keep the pixels between 0 and 1.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/keras-team/keras/issues/2841"
CAUSE = "The targets are standardized, so no sigmoid reaches them, and the loss is < 0."
FIRST = ("KTF202", "KTF206", "KTF208")
BACKEND = "tensorflow"  # torch raises
HALF = "held out"
QUALITY = (-0.03, 0.98)


def waves(count=2000, size=12):
    """Pictures of plane waves of any direction and phase, from 0 to 1."""
    rng = generator()
    row, column = np.meshgrid(*2 * [np.linspace(-1, 1, size)], indexing="ij")
    angle, phase = rng.uniform(0, 2 * np.pi, (2, count, 1, 1))
    way = np.cos(angle) * row + np.sin(angle) * column
    x = 0.5 + 0.5 * np.sin(3 * way + phase)
    return x.reshape(count, -1).astype("float32")


def program(x):
    model = keras.Sequential(
        [
            keras.Input((144,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(144, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy")

    def quality(model):
        return explained(x, answers(model, x))

    return arrays(model, x, x, quality, epochs=20, batch_size=64)


def faulty():
    x = waves()
    return program((x - x.mean(0)) / x.std(0))


def repaired():
    return program(waves())
