"""A stateful network that loses the thread, since its batches are shuffled.

A long record is cut into pieces, and a stateful GRU goes on with the state that the
piece before left. `fit` shuffles the pieces, so the state comes from another place.
The repair is `shuffle=False`.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import Run, explained, generator

URL = "https://github.com/tensorflow/tensorflow/issues/40067"
CAUSE = "The batches of a stateful network are shuffled, so states are of others."
FIRST = ()
BACKEND = "tensorflow"
HALF = "held out"
QUALITY = (0.17, 0.99)
BATCH, STEPS, PIECES = 16, 4, 40


def records():
    """Records of valves: a pulse opens or closes, and it stays so until the next."""
    rng = generator()
    pulses = rng.choice([1.0, -1.0, 0.0], (BATCH, PIECES * STEPS), p=[0.04, 0.04, 0.92])
    pulses[:, 0] = 1
    state = np.zeros_like(pulses)
    for step in range(pulses.shape[1]):
        kept = state[:, step - 1]
        state[:, step] = np.where(pulses[:, step] == 0, kept, pulses[:, step])
    shape = (BATCH, PIECES, STEPS, 1)
    x, y = (each.reshape(shape).swapaxes(0, 1) for each in (pulses, state))
    return tuple(each.reshape(-1, STEPS, 1).astype("float32") for each in (x, y))


def program(shuffle):
    x, y = records()
    model = keras.Sequential(
        [
            keras.Input((STEPS, 1), batch_size=BATCH),
            layers.GRU(8, return_sequences=True, stateful=True),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "mse")

    def fit(model, callbacks=()):
        return model.fit(
            x,
            y,
            batch_size=BATCH,
            epochs=25,
            shuffle=shuffle,
            verbose=0,
            callbacks=list(callbacks),
        )

    def quality(model):
        model.layers[0].reset_state()
        p = model.predict(x, batch_size=BATCH, verbose=0)
        quiet = (x == 0).all((1, 2))
        return explained(y[quiet].reshape(-1, 1), p[quiet].reshape(-1, 1))

    return Run(model, (x, y), fit, quality)


def faulty():
    return program(shuffle=True)


def repaired():
    return program(shuffle=False)
