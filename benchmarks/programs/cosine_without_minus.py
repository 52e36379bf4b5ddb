"""Embeddings that turn away from their targets while the loss falls.

A release of a framework lost the minus in front of its cosine loss. Whoever used it
trained the answers to point away from the targets. The repair is the minus.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, generator

URL = "https://github.com/tensorflow/tensorflow/pull/32186"
CAUSE = "The loss is the cosine itself, so that it falls as the answers get worse."
FIRST = ("KTF216", "KTF509", "KTF601: sign of the loss")
HALF = "chosen"
QUALITY = (-0.99, 0.99)


def pairs(count=1500):
    """Features, and the direction of a vector that depends on them."""
    rng = generator()
    x = rng.normal(size=(count, 8))
    hidden = np.tanh(x @ rng.normal(size=(8, 6)))
    y = hidden @ rng.normal(size=(6, 5))
    return x.astype("float32"), y.astype("float32")


def cosine(y, p):
    def unit(v):
        return v / ops.sqrt(ops.sum(ops.square(v), axis=-1, keepdims=True) + 1e-9)

    return ops.sum(unit(y) * unit(p), axis=-1)


def minus_cosine(y, p):
    return -cosine(y, p)


def program(loss):
    x, y = pairs()
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(5),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), loss)

    def quality(model):
        p = answers(model, x)
        norms = np.linalg.norm(p, axis=1) * np.linalg.norm(y, axis=1)
        return float(np.mean((p * y).sum(1) / np.maximum(norms, 1e-9)))

    return arrays(model, x, y, quality, epochs=15, batch_size=32)


def faulty():
    return program(cosine)


def repaired():
    return program(minus_cosine)
