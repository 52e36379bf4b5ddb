"""A model of price and days to sale whose days are no better than at the start.

The second output was added later, its targets as well. The losses are given as a
dictionary, which has only the first output's name: the other one has no loss, and
nothing leads to it. The repair is a loss for it.
"""

import keras
import numpy as np
from keras import layers

from benchmarks.programs.common import Run, explained, generator

URL = "https://github.com/tensorflow/tensorflow/issues/35267"
CAUSE = "The dictionary of losses leaves out one of two outputs: it is never trained."
FIRST = ("KTF415",)
HALF = "chosen"
QUALITY = (-5.05, 0.98)


def offers(count=1500):
    """Used cars, with their price and the days until they were sold."""
    rng = generator()
    x = rng.normal(size=(count, 6))
    price = x[:, 0] + np.abs(x[:, 1]) - 0.5 * x[:, 2]
    days = 0.7 * x[:, 3] * x[:, 4] + np.maximum(x[:, 5], 0) + 2
    targets = {"price": price[:, None], "days": days[:, None]}
    return x.astype("float32"), {k: v.astype("float32") for k, v in targets.items()}


def program(losses):
    x, y = offers()
    inputs = keras.Input((6,))
    shared = layers.Dense(48, activation="relu")(inputs)
    outputs = {}
    for name in ("price", "days"):
        hidden = layers.Dense(32, activation="relu")(shared)
        outputs[name] = layers.Dense(1, name=name)(hidden)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.003), losses)

    def fit(model, callbacks=()):
        return model.fit(x, y, epochs=25, verbose=0, callbacks=[*callbacks])

    def quality(model):
        answer = model.predict(x, verbose=0)
        return min(explained(y[name], answer[name]) for name in y)

    return Run(model, (x, y), fit, quality)


def faulty():
    return program({"price": "mse"})


def repaired():
    return program({"price": "mse", "days": "mse"})
