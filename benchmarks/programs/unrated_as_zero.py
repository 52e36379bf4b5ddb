"""A recommender that rates nearly everything with zero.

Users rated a third of the films. The others are 0 in the table, and the squared error
is about all of them, so the autoencoder learns that films have no ratings. The repair
leaves them out of the loss.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/marlesson/recsys_autoencoders/issues/1"
CAUSE = "Films that were not rated count as ratings of 0."
FIRST = ()
HALF = "chosen"
QUALITY = (-1.78, 0.97)
FILMS = 90


def ratings(count=1200):
    """What users would rate all films, and the few ratings that they gave."""
    rng = generator()
    taste, kind = rng.normal(size=(count, 2)), rng.normal(size=(2, FILMS))
    liked = 3 + taste @ kind
    given = np.where(rng.uniform(size=liked.shape) < 0.33, liked, 0)
    return given.astype("float32"), liked


def of_rated(y, p):
    rated = ops.cast(y != 0, "float32")
    return ops.sum(rated * ops.square(y - p), -1) / (ops.sum(rated, -1) + 1e-6)


def program(loss):
    given, liked = ratings()
    model = keras.Sequential(
        [
            keras.Input((FILMS,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(FILMS),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), loss)

    def quality(model):
        return explained(liked, answers(model, given))

    return arrays(model, given, given, quality, epochs=40, batch_size=32)


def faulty():
    return program("mse")


def repaired():
    return program(of_rated)
