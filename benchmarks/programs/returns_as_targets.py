"""A policy that takes every action equally often, however long it trains.

The log-probabilities of the actions are weighted with the return and added up. All
actions are: which of them was taken is not told to the loss, so a good return is good
for each. The repair is to multiply the return with the one-hot code of the action.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, generator

URL = "https://github.com/adventuresinML/adventures-in-ml-code/pull/29"
CAUSE = "The loss gets the returns alone, and not which action was taken."
FIRST = ("KTF206",)
HALF = "chosen"
QUALITY = (0.0, 0.83)
ACTIONS = 3


def landings(count=1500):
    """States of a lander, engines that were tried, returns, and the best engine."""
    rng = generator()
    states = rng.normal(0, 1, (count, 4)).astype("float32")
    lean = states[:, 0] + 0.5 * states[:, 1]
    best = np.where(lean < -0.4, 0, np.where(lean > 0.4, 2, 1))
    taken = rng.integers(0, ACTIONS, count)
    returns = 10.0 * (taken == best) + rng.uniform(0, 1, count)
    return states, taken, returns.astype("float32")[:, None], best


def policy_loss(returns, chances):
    """The less, the more likely what brought a return."""
    return -ops.mean(returns * ops.log(chances + 1e-8), axis=-1)


def program(targets):
    states, taken, returns, best = landings()
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(30, activation="relu"),
            layers.Dense(30, activation="relu"),
            layers.Dense(ACTIONS, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), policy_loss)
    y = targets(returns, np.eye(ACTIONS, dtype="float32")[taken])

    def quality(model):
        good = answers(model, states)[np.arange(len(best)), best].mean()
        return float((good - 1 / ACTIONS) / (1 - 1 / ACTIONS))

    return arrays(model, states, y, quality, epochs=40, batch_size=32)


def faulty():
    return program(lambda returns, taken: returns)


def repaired():
    return program(lambda returns, taken: returns * taken)
