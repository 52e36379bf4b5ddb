"""Action values that have nothing to do with what actions are worth.

The target of Q-learning is the reward and the discounted value of the best next
action. It is computed with `argmax`, which is the number of that action. The repair
is `max`.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import Run, answers, explained, generator

URL = "https://github.com/llSourcell/Game-AI/issues/7"
CAUSE = "The target takes the index of the best next action for its value."
FIRST = ()
HALF = "held out"
QUALITY = (-3.49, 0.92)
MOVES, GOAL, DISCOUNT = np.array([0.1, -0.1, 0.0]), 0.9, 0.8


def corridor(count=600):
    """Places in a corridor, moves, where they led to, and the reward at its end."""
    rng = generator()
    place = rng.uniform(0, GOAL, count)
    taken = rng.integers(0, len(MOVES), count)
    after = np.clip(place + MOVES[taken], 0, 1)
    return place, taken, after, (after > GOAL).astype("float64")


def worth(place):
    """The true values of all moves."""
    after = np.clip(place[:, None] + MOVES, 0, 1)
    steps = np.maximum(np.ceil((GOAL - after) / 0.1 - 1e-9), 0)
    return DISCOUNT**steps


def program(best):
    place, taken, after, reward = corridor()
    model = keras.Sequential(
        [
            keras.Input((1,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(len(MOVES)),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), "mse")
    states = (4 * place[:, None] - 2).astype("float32")
    following = (4 * after[:, None] - 2).astype("float32")

    def targets(model):
        y = answers(model, states)
        value = reward + DISCOUNT * (reward == 0) * best(answers(model, following), 1)
        y[np.arange(len(y)), taken] = value
        return y.astype("float32")

    def fit(model, callbacks=()):
        for _ in range(25):
            y = targets(model)
            model.fit(states, y, verbose=0, epochs=3, callbacks=list(callbacks))

    def quality(model):
        return explained(worth(place), answers(model, states))

    return Run(model, (states, targets(model)), fit, quality)


def faulty():
    return program(np.argmax)


def repaired():
    return program(np.max)
