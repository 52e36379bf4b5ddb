"""An agent that does not get better than a dice, whatever it is rewarded for.

The advantages are a column and the probabilities of the actions are not. Their product
is a square in which each action is weighed by the advantages of all the others, and
their mean is zero. The repair is to flatten the advantages.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import Run, answers, generator

URL = "https://github.com/RITCHIEHuang/DeepRL_Algorithms/issues/13"
CAUSE = "Advantages (n, 1) times ratios (n,) make a square: every pair is mixed."
FIRST = ("KTF208", "KTF212")
HALF = "chosen"
QUALITY = (0.12, 0.93)
ACTIONS, STATE = 4, 6


class Policy(keras.Model):
    """Chances of actions, which are learned from the advantages of what was done."""

    def __init__(self, flat):
        super().__init__()
        self.flat = flat
        self.hidden = layers.Dense(48, activation="relu")
        self.chances = layers.Dense(ACTIONS, activation="softmax")

    def build(self, shape):
        self.hidden.build(shape)
        self.chances.build((*shape[:-1], self.hidden.units))

    def call(self, x):
        return self.chances(self.hidden(x))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **unused):
        action, before, advantage = y[:, 0], y[:, 1], y[:, 2:]
        taken = ops.one_hot(ops.cast(action, "int32"), ACTIONS)
        now = ops.sum(taken * y_pred, axis=-1)
        ratio = now / before
        if self.flat:
            advantage = ops.reshape(advantage, (-1,))
        kept = ops.clip(ratio, 0.2, 5.0)
        return -ops.mean(ops.minimum(ratio * advantage, kept * advantage))


def bids(count=3000):
    """Situations, actions at random, their chances, and how well they turned out."""
    rng = generator()
    x = rng.normal(size=(count, STATE))
    worth = np.tanh(x @ rng.normal(size=(STATE, 8))) @ rng.normal(size=(8, ACTIONS))
    action = rng.integers(0, ACTIONS, count)
    gain = worth[np.arange(count), action] + rng.normal(0, 0.3, count)
    advantage = (gain - gain.mean()) / gain.std()
    y = np.stack([action, np.full(count, 1 / ACTIONS), advantage], 1)
    return x.astype("float32"), y.astype("float32"), worth


def program(flat):
    x, y, worth = bids()
    model = Policy(flat)
    model.build((None, STATE))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9))

    def fit(model, callbacks=()):
        return model.fit(
            x, y, epochs=40, verbose=0, batch_size=300, callbacks=[*callbacks]
        )

    def quality(model):
        gained = (answers(model, x) * worth).sum(1).mean()
        always = worth.mean(0).max()
        return float((gained - always) / (worth.max(1).mean() - always))

    return Run(model, (x, y), fit, quality)


def faulty():
    return program(flat=False)


def repaired():
    return program(flat=True)
