"""A robot that knows its way only where it stands beside the goal.

The targets of the values are the reward plus what the target network says, and it is
asked about the states of the replay where it should be about the states that follow.
No value travels from one state to the one before. The repair is to ask about those.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import Run, answers, generator

URL = "https://github.com/google-research/recsim/issues/26"
CAUSE = "The target network is given the states, not the states that follow."
FIRST = ()
HALF = "held out"
QUALITY = (0.14, 1.0)
SIDE, DISCOUNT, BATCH = 5, 0.9, 64
GOAL = np.array([2, 3])
MOVES = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]])


def stepped(places, actions):
    """Where a move leads, and whether that is the goal."""
    after = np.clip(places + MOVES[actions], 0, SIDE - 1)
    return after, (after == GOAL).all(-1)


def seen(places):
    return np.eye(SIDE**2, dtype="float32")[places[..., 0] * SIDE + places[..., 1]]


def arriving(best):
    """The share of the places from which the best moves lead to the goal."""
    places = np.indices((SIDE, SIDE)).reshape(2, -1).T
    for _ in range(2 * SIDE):
        home = (places == GOAL).all(1)
        after, _ = stepped(places, best[places[:, 0] * SIDE + places[:, 1]])
        places = np.where(home[:, None], places, after)
    return (places == GOAL).all(1).mean()


class Replay(keras.utils.PyDataset):
    """Moves at random, whose targets follow from a copy of the model."""

    def __init__(self, model, asks_next):
        super().__init__()
        rng = generator()
        places = rng.integers(0, SIDE, (2500, 2))
        places = places[(places != GOAL).any(1)]
        self.actions = rng.integers(0, 4, len(places))
        after, self.found = stepped(places, self.actions)
        self.states, self.next_states = seen(places), seen(after)
        self.asks_next = asks_next
        self.model, self.target = model, keras.models.clone_model(model)
        self.on_epoch_end()

    def on_epoch_end(self):
        self.target.set_weights(self.model.get_weights())

    def __len__(self):
        return len(self.states) // BATCH

    def __getitem__(self, index):
        part = slice(index * BATCH, (index + 1) * BATCH)
        x = self.states[part]
        asked = self.next_states[part] if self.asks_next else x
        later = self.target.predict_on_batch(asked).max(1)
        target = self.model.predict_on_batch(x).copy()
        value = np.where(self.found[part], 1, DISCOUNT * later)
        target[np.arange(BATCH), self.actions[part]] = value
        return x, target


def program(asks_next):
    model = keras.Sequential(
        [
            keras.Input((SIDE**2,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(4),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "mse")
    places = np.indices((SIDE, SIDE)).reshape(2, -1).T
    always = max(arriving(np.full(SIDE**2, action)) for action in range(4))

    def fit(model, callbacks=()):
        replay = Replay(model, asks_next)
        return model.fit(replay, epochs=30, verbose=0, callbacks=list(callbacks))

    def quality(model):
        share = arriving(answers(model, seen(places)).argmax(1))
        return float((share - always) / (1 - always))

    return Run(model, (Replay(model, asks_next),), fit, quality)


def faulty():
    return program(asks_next=False)


def repaired():
    return program(asks_next=True)
