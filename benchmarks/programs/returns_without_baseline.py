"""A policy that hardly prefers any action, however long it trains.

The logarithm of the probability of each action that was taken is weighted with its
return. Returns were meant to be standardized, and are only divided by their standard
deviation. All are large, so whatever was tried is made more likely. The repair is to
subtract the mean.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import answers, arrays, generator

URL = "https://github.com/keon/policy-gradient/issues/5"
CAUSE = "The returns are not centered, so every action is reinforced."
FIRST = ()
HALF = "held out"
QUALITY = (0.02, 0.98)


def episodes(count=1500):
    """States, actions that were tried at random, returns, and what each can gain."""
    rng = generator()
    states = rng.uniform(-1, 1, (count, 2)).astype("float32")
    best = (states[:, 0] > 0) + 2 * (states[:, 1] > 0)
    gains = np.eye(4)[best]
    taken = rng.integers(0, 4, count)
    returns = 20 + gains[np.arange(count), taken] + rng.normal(0, 0.1, count)
    return states, taken, returns, gains


def program(center):
    states, taken, returns, gains = episodes()
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy")
    weights = (returns - center(returns)) / returns.std()

    def quality(model):
        gain = (answers(model, states) * gains).sum(1).mean()
        return float((gain - 0.25) / 0.75)

    return arrays(
        model,
        states,
        taken,
        quality,
        sample_weight=weights.astype("float32"),
        epochs=20,
        batch_size=32,
    )


def faulty():
    return program(lambda returns: 0)


def repaired():
    return program(np.mean)
