"""An encoder that gets no gradient because an `argmax` follows it.

The encoder chooses one of a few symbols, and the decoder looks the symbol up. The
choice is made with `argmax`, which has no derivative, so only the decoder is trained.
The repair is to hand on the probabilities.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/keras-team/keras/issues/11157"
CAUSE = "An `argmax` between encoder and decoder lets no gradient pass."
FIRST = ("KTF414", "KTF405: argmax")
HALF = "chosen"
QUALITY = (0.06, 0.98)
STOPS, SYMBOLS = 24, 8


class Chosen(layers.Layer):
    """The most probable symbol."""

    def call(self, inputs):
        return ops.argmax(inputs, axis=-1)


def positions(count=1500):
    """Noisy readings of a wheel with many stops, and where the stop is."""
    rng = generator()
    stop = rng.integers(0, STOPS, count)
    angle = 2 * np.pi * stop / STOPS + rng.normal(0, 0.03, count)
    mixed = np.stack([np.cos(angle), np.sin(angle)], 1) @ rng.normal(size=(2, 6))
    turn = 2 * np.pi * np.arange(STOPS)[:, None] / STOPS
    y = np.sin(turn * [3, 4, 5, 6] + [0, 1, 2, 3])[stop]
    return (mixed + rng.normal(0, 0.02, (count, 6))).astype("float32"), y


def program(*bridge):
    x, y = positions()
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(48, activation="relu"),
            layers.Dense(SYMBOLS, activation="softmax"),
            *bridge,
            layers.Dense(4),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=30, batch_size=32)


def faulty():
    return program(Chosen(), layers.Embedding(SYMBOLS, 16))


def repaired():
    return program(layers.Dense(48, activation="relu"))
