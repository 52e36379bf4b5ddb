"""Faults of targets that only skill shows: exchanged, reversed, dead, or far off."""

import keras
import numpy as np
from keras import layers, ops

from benchmarks.diagnosis.cases import BINARY, SPARSE, adam
from benchmarks.diagnosis.data import (
    Data,
    but,
    column,
    digits,
    linear,
    source,
    table,
)
from benchmarks.diagnosis.faults import after, before
from benchmarks.diagnosis.nets import mlp, net, two_outputs, width

BOTH = {"first": SPARSE, "second": "mse"}
BINARY_AND_NUMBER = {"first": BINARY, "second": "mse"}


@source
def pairs_of(rng, data, similar=1):
    """Pairs of samples, half of them of the same class."""
    x, y, *_ = data(rng)
    first = rng.permutation(len(x))[:400]
    is_same = np.arange(len(first)) % 2
    second = [
        rng.choice(np.flatnonzero((y == y[i]) == bool(same)))
        for i, same in zip(first, is_same, strict=True)
    ]
    return Data([x[first], x[second]], column(is_same == similar))


@net
def siamese(x, rng, likeness=False):
    """The distance of two codes of one encoder, or their likeness."""
    hidden = layers.Dense(width(rng), activation="relu")
    code = layers.Dense(16)
    a, b = (code(hidden(part)) for part in x)
    return layers.Lambda(_likeness if likeness else _distance)([a, b])


def _distance(pair):
    return ops.sqrt(ops.sum(ops.square(pair[0] - pair[1]), -1, keepdims=True) + 1e-6)


def _likeness(pair):
    return ops.exp(-ops.mean(ops.abs(pair[0] - pair[1]), axis=-1, keepdims=True))


def contrastive(y, d):
    """A loss of labels that are 0 for similar pairs."""
    far = ops.maximum(1.0 - d, 0)
    return ops.mean((1 - y) * ops.square(d) + y * ops.square(far))


@net
def on_noise(x, rng, units, head=None):
    """A net whose first layer drowns its inputs in noise."""
    x = layers.Dense(width(rng), activation="relu")(layers.GaussianNoise(1.0)(x))
    x = layers.Lambda(_drowned)(x)
    return layers.Dense(units, activation=head)(x)


def _drowned(x):
    return 0.01 * x + keras.random.normal(ops.shape(x))


def mirrored(y, _):
    """Targets whose first column has the wrong sign every other time."""
    return y * np.stack([np.resize([1, -1], len(y)), np.ones(len(y))], 1)


def first_shuffled(y, rng):
    """Targets of two outputs, of which those of the first are in another order."""
    return {**y, "second": rng.permutation(y["second"])}


def exchanged(y, _):
    """Ids where numbers belong, and numbers where ids do."""
    return {"first": column(y) / 3 + 0.1, "second": y}


def numbers_and_ids(y, _):
    """What both heads should get."""
    return {"first": y, "second": column(y) / 3 + 0.1}


# The formatter would put every argument on its own line.
# fmt: off
FAULTS = [
    before("148", "ids and numbers exchanged", but(digits(), y=exchanged),
        two_outputs((10, "softmax")), BOTH),
    before("148", "labels and numbers exchanged", but(table("breast_cancer"),
        y=lambda y, rng: {"first": column(y) + rng.normal(size=(len(y), 1)),
        "second": column(y)}), two_outputs((1, "sigmoid")), BINARY_AND_NUMBER),
    before("149", "0 is similar for the loss", pairs_of(digits()), siamese(),
        contrastive),
    before("149", "1 is different for a likeness", pairs_of(digits(), 0), siamese(True),
        BINARY),
    after("507", "answers drowned in noise", linear(), on_noise(1), "mse", adam(0.003),
        30),
    after("507", "classes drowned in noise", table("wine"), on_noise(3, "softmax"),
        SPARSE, adam(0.003), 50),
    after("508", "a mirrored column", linear(outputs=2), mlp(2, None, (32,)), "mse",
        adam(0.003), 30, trained_on=mirrored),
    after("508", "one of two outputs shuffled", but(digits(), y=numbers_and_ids),
        two_outputs((10, "softmax")), BOTH, adam(0.003), 15, trained_on=first_shuffled),
]
# fmt: on
