"""Action values that come out at a third, since other actions are trained to 0.

The targets of Q-learning start as an array of zeros, in which the value of the action
that was taken is set. So the values of all other actions are pulled to 0 in every
step. The repair is to start from what the network predicts.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import Run, answers, explained, generator

URL = "https://github.com/PacktPublishing/Tensorflow-2-Reinforcement-Learning-Cookbook/issues/32"
CAUSE = "The targets of actions that were not taken are 0, and the loss counts them."
FIRST = ()
HALF = "chosen"
QUALITY = (-2.77, 0.99)
ACTIONS = 3


def experience(count=2000):
    """States, actions and what these were worth, with a little noise."""
    rng = generator()
    states = rng.uniform(-1, 1, (count, 2)).astype("float32")
    worth = np.stack(
        [
            2 + np.sin(3 * states[:, 0]),
            2 + states[:, 0] * states[:, 1] * 2,
            2 - np.sin(3 * states[:, 1]),
        ],
        1,
    )
    taken = rng.integers(0, ACTIONS, count)
    reward = worth[np.arange(count), taken] + rng.normal(0, 0.1, count)
    return states, taken, reward, worth


def program(start):
    states, taken, reward, worth = experience()
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(ACTIONS),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "mse")

    def targets(model):
        y = start(model, states)
        y[np.arange(len(y)), taken] = reward
        return y.astype("float32")

    def fit(model, callbacks=()):
        for _ in range(40):
            y = targets(model)
            model.fit(states, y, verbose=0, callbacks=list(callbacks))

    def quality(model):
        return explained(worth, answers(model, states))

    return Run(model, (states, targets(model)), fit, quality)


def faulty():
    return program(lambda model, states: np.zeros((len(states), ACTIONS)))


def repaired():
    return program(answers)
