"""Action values that never learn of a reward three steps away.

The targets of Q-learning come from a second network, which follows the first by a
twentieth. It should do so after each step and does so once in twenty rounds, so the
reward is passed on from place to place at a crawl. The repair is to follow each time.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import Run, answers, explained, generator

URL = "https://github.com/xphongvn/rlcomp2020/issues/3"
CAUSE = "The network that gives the targets hardly moves, so the targets are stale."
FIRST = ()
HALF = "held out"
QUALITY = (-3.75, 0.99)
PLACES, DISCOUNT, SHARE = 10, 0.9, 0.3


def mine(count=400):
    """Places, steps to the left or right, where these lead, and gold at the end."""
    rng = generator()
    place = rng.integers(0, PLACES - 1, count)
    taken = rng.integers(0, 2, count)
    after = np.clip(place + 2 * taken - 1, 0, PLACES - 1)
    return place, taken, after, (after == PLACES - 1).astype("float64")


def worth(place):
    """The true values of both steps."""
    after = np.clip(place[:, None] + np.array([-1, 1]), 0, PLACES - 1)
    return DISCOUNT ** (PLACES - 1 - after)


def program(rounds):
    place, taken, after, reward = mine()
    model, follower = (
        keras.Sequential(
            [
                keras.Input((PLACES,)),
                layers.Dense(24, activation="relu"),
                layers.Dense(2),
            ]
        )
        for _ in range(2)
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    follower.set_weights(model.get_weights())
    states, following = np.eye(PLACES)[place], np.eye(PLACES)[after]

    def targets(model):
        y = answers(model, states)
        best = answers(follower, following).max(1)
        y[np.arange(len(y)), taken] = reward + DISCOUNT * (reward == 0) * best
        return y.astype("float32")

    def fit(model, callbacks=()):
        for number in range(60):
            y = targets(model)
            model.fit(states, y, verbose=0, epochs=2, callbacks=list(callbacks))
            if number % rounds == 0:
                pairs = zip(follower.get_weights(), model.get_weights(), strict=True)
                follower.set_weights(
                    [(1 - SHARE) * old + SHARE * new for old, new in pairs]
                )

    def quality(model):
        return explained(worth(place), answers(model, states))

    return Run(model, (states, targets(model)), fit, quality)


def faulty():
    return program(rounds=20)


def repaired():
    return program(rounds=1)
