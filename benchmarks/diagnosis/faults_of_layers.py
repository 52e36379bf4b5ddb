"""Faults of layers: samples that are lost, constants, weights that are not used."""

import functools

import keras
import numpy as np
from keras import layers, ops

from benchmarks.diagnosis.cases import CATEGORICAL, SPARSE
from benchmarks.diagnosis.data import (
    but,
    curved,
    digits,
    one_hot,
    series,
    tagged,
    texts,
)
from benchmarks.diagnosis.faults import before
from benchmarks.diagnosis.nets import cnn, mlp, net

DIGITS = digits((8, 8, 1))
BRIGHT = but(DIGITS, x=lambda x, _: 255 * x)


@net
def attended(x, rng, units, score):
    """The steps of a series, summed with weights from `score`, a list of factories."""
    weights = layers.Dense(8, activation="tanh")(x)
    for make in score:
        weights = make()(weights)
    x = layers.Flatten()(layers.Dot(1)([weights, x]))
    return layers.Dense(units)(layers.Dense(16, activation="relu")(x))


@net
def each_step(x, rng, units, axis):
    """An answer for each step, with the axis of its softmax."""
    x = layers.GRU(24, return_sequences=True)(x)
    return layers.Softmax(axis)(layers.Dense(units)(x))


def whole_tenths():
    """A layer that divides by ten and drops the rest, which leaves nothing."""
    return layers.Lambda(lambda x: ops.floor(ops.abs(x) / 10))


def other_ids():
    """A lookup of ids from 1000 on."""
    return layers.IntegerLookup(vocabulary=list(range(1000, 1050)))


class Trunk:
    """Hidden layers in a plain object."""

    def __init__(self, width):
        self.layers = [layers.Dense(width, "relu") for _ in range(2)]

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Untracked(keras.Model):
    """A net whose trunk Keras does not look into, or is created in each call."""

    def __init__(self, units, width, in_call):
        super().__init__()
        self.make = functools.partial(Trunk, width)
        self.trunk = None if in_call else self.make()
        self.head = layers.Dense(units)

    def call(self, x):
        return self.head((self.trunk or self.make())(x))


def untracked(units, in_call=False):
    """A net of `Untracked`."""

    def build(shape, rng):
        model = Untracked(units, int(rng.choice([8, 16])), in_call)
        model(np.zeros((1, *shape), "float32"))
        return model

    return build


def brighter(**settings):
    """A layer that changes the brightness of images, by default of 0 to 255."""
    return lambda: layers.RandomBrightness(0.3, **settings)


def on_body(units, head, *before, is_trained=True, many=2):
    """A head on a frozen body, trained on other images or as it was drawn.

    Args:
        units: Units of the head.
        head: Activation of the head.
        *before: Factories of layers that begin the body.
        is_trained: Whether the body was trained.
        many: How many convolutions it has.
    """

    def build(shape, rng):
        parts = [make() for make in before]
        for _ in range(many):
            parts.append(layers.Conv2D(int(rng.choice([12, 16])), 3, padding="same"))
            parts += [layers.BatchNormalization(momentum=0.7), layers.ReLU()]
        body = keras.Sequential([keras.Input(shape), *parts], name="body")
        pooled = layers.GlobalAveragePooling2D()
        if is_trained:
            whole = keras.Sequential([body, pooled, layers.Dense(4, "softmax")])
            whole.compile("adam", SPARSE)
            images = rng.uniform(0, 255, (256, *shape))
            quarter = (images.mean((1, 2, 3)) * 1.7).astype("int64") % 4
            whole.fit(images, quarter, epochs=2, verbose=0)
        body.trainable = False
        given = keras.Input(shape)
        return keras.Model(given, layers.Dense(units, head)(pooled(body(given))))

    return build


def dividing():
    """A layer that expects pixels of 0 to 255."""
    return layers.Rescaling(1 / 255)


# The formatter would put every argument on its own line.
# fmt: off
FAULTS = [
    before("421", "divided and rounded to zero", curved(),
        mlp(1, before=[whole_tenths]), "mse"),
    before("421", "unknown to the vocabulary", texts(),
        mlp(2, "softmax", before=[other_ids, lambda: layers.Embedding(51, 8),
            layers.GlobalAveragePooling1D]), SPARSE),
    before("422", "attention weights of one unit", series(),
        attended(1, [lambda: layers.Dense(1, activation="softmax")]), "mse"),
    before("422", "softmax over the last axis of the scores", series(),
        attended(1, [lambda: layers.Dense(1), layers.Softmax]), "mse"),
    before("422", "layer normalization of one number", curved(),
        mlp(1, hidden=[16, 1, 16], norm=layers.LayerNormalization), "mse"),
    before("423", "a trunk that is not tracked", curved(), untracked(1), "mse"),
    before("423", "layers that each call creates", curved(), untracked(1, True), "mse"),
    before("305", "brightness of another range", DIGITS,
        cnn(10, "softmax", before=[brighter()]), SPARSE),
    before("305", "brightness of 0 to 1 for 0 to 255", BRIGHT,
        cnn(10, "softmax", before=[brighter(value_range=(0, 1)),
            lambda: layers.Rescaling(1 / 255)]), SPARSE),
    before("305", "a rate of dropout that was meant to be kept", curved(),
        mlp(1, dropout=0.98), "mse"),
    before("213", "softmax over the steps", but(tagged(), y=one_hot),
        each_step(2, 1), CATEGORICAL),
    before("213", "softmax over the steps, ids", tagged(), each_step(2, 1), SPARSE),
    before("306", "a body that was not loaded", DIGITS,
        on_body(10, "softmax", is_trained=False, many=3), SPARSE),
    before("306", "a frozen table of words that was not loaded", texts(),
        mlp(2, "softmax", before=[lambda: layers.Embedding(60, 16, trainable=False),
            layers.GlobalAveragePooling1D]), SPARSE),
    before("133", "scaled before a body that scales", DIGITS,
        on_body(10, "softmax", dividing), SPARSE),
    before("133", "a body that was trained on pixels", DIGITS,
        on_body(10, "softmax"), SPARSE),
]
# fmt: on
