"""Embeddings that collapse to one point while the triplet loss rests at its margin.

The loss takes the hardest positive and the hardest negative of each batch. At a high
learning rate the cheapest step is to give the same embedding to everything: then the
loss is the margin, and its gradient is 0. The repair is a smaller learning rate.
"""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.programs.common import answers, arrays, generator, recognized

URL = "https://github.com/omoindrot/tensorflow-triplet-loss/issues/18"
CAUSE = "The learning rate is so high that all embeddings collapse to one point."
FIRST = ("KTF401",)
HALF = "held out"
QUALITY = (0.0, 0.96)


def faces(count=800, people=8):
    """Features of eight people, under noise that hides them from distances."""
    rng = generator()
    signs = rng.normal(size=(people, 6))
    y = rng.integers(0, people, count)
    x = np.concatenate([2 * signs[y], rng.normal(0, 4, (count, 24))], 1)
    x[:, :6] += rng.normal(0, 0.3, (count, 6))
    return x.astype("float32") / 3, y[:, None]


def batch_hard(y, p, margin=1.0):
    y = ops.reshape(y, (-1, 1))
    squares = ops.sum(ops.square(p[:, None] - p[None]), axis=-1)
    distance = ops.sqrt(ops.maximum(squares, 1e-9))
    same = ops.cast(ops.equal(y, ops.transpose(y)), p.dtype)
    positive = ops.max(distance * same, axis=1)
    negative = ops.min(distance + 1e6 * same, axis=1)
    return ops.maximum(positive - negative + margin, 0)


def program(rate):
    x, y = faces()
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(8),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), batch_hard)

    def quality(model):
        return recognized(y, nearest(answers(model, x), np.ravel(y)))

    return arrays(model, x, y, quality, epochs=25, batch_size=64)


def nearest(points, labels):
    """The label of the nearest other point, among equally near ones the first."""
    distance = ((points[:, None] - points[None]) ** 2).sum(-1)
    np.fill_diagonal(distance, np.inf)
    return labels[distance.argmin(1)]


def faulty():
    return program(0.1)


def repaired():
    return program(0.001)
