"""Faults that show when a part of the inputs is replaced."""

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.cases import BINARY, SPARSE, sgd
from benchmarks.diagnosis.data import (
    Data,
    blobs,
    curved,
    masks,
    rings,
    series,
    source,
    texts,
)
from benchmarks.diagnosis.faults import before
from benchmarks.diagnosis.nets import mlp, net, transformer, words


@source
def with_answer(rng, data, form=lambda y: y):
    """A table with a column that holds the target, in some form."""
    old = data(rng)
    return old._replace(x=np.column_stack([old.x, form(old.y)]).astype("float32"))


@source
def reversed_words(rng, steps=6, tokens=20):
    """A sequence and its reverse, which the decoder gets as well."""
    x = rng.integers(1, tokens, (300, steps))
    y = x[:, ::-1].copy()
    return Data([x, y], y)


@source
def padded_texts(rng, steps=120, behind=True):
    """Texts of different lengths, padded with 0."""
    old = texts()(rng)
    x = np.zeros((len(old.x), steps), "int32")
    for row, ids in zip(x, old.x, strict=True):
        length = int(rng.integers(5, len(ids) + 1))
        row[:length] = ids[:length] + 1
    return old._replace(x=x if behind else x[:, ::-1].copy())


@source
def which_first(rng, samples=400, steps=10, tokens=30):
    """Words, and which of two comes first."""
    x, y = rng.integers(3, tokens, (samples, steps)), rng.integers(0, 2, samples)
    for row, label in zip(x, y, strict=True):
        first, second = np.sort(rng.choice(steps, 2, replace=False))
        row[first], row[second] = (1, 2) if label else (2, 1)
    return Data(x, y)


@source
def next_words(rng, steps=10, tokens=20):
    """Sequences that count up from a random word, and the next word at each step."""
    first = rng.integers(0, tokens, (300, 1))
    x = (first + np.arange(steps + 1) * rng.integers(1, 4, (300, 1))) % tokens
    return Data(x[:, :-1], x[:, 1:])


@net
def both_ways(x, rng, tokens=20):
    """A language model whose recurrent layer reads both ways."""
    x = layers.Embedding(tokens, 16)(x)
    x = layers.Bidirectional(layers.GRU(16, return_sequences=True))(x)
    return layers.Dense(tokens, activation="softmax")(x)


@net
def unmasked(x, rng, tokens=20):
    """A language model with attention that has no mask."""
    x = layers.Embedding(tokens, 16)(x)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8)(x, x))
    return layers.Dense(tokens, activation="softmax")(x)


def softmax_of_batch():
    """A softmax over the samples."""
    return layers.Softmax(axis=0)


def without_mean():
    """Subtracts the mean of the batch."""
    return layers.Lambda(lambda h: h - keras.ops.mean(h, axis=0))


@net
def misplaced(x, rng, turn):
    """Convolutions whose answers are turned."""
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = turn()(x)
    return layers.Conv2D(1, 1, activation="sigmoid")(x)


def transposed():
    """Width before height."""
    return layers.Permute((2, 1, 3))


def upside_down():
    """The last row first."""
    return layers.Lambda(lambda h: keras.ops.flip(h, 1))


@source
def slow_series(rng, steps=12, samples=400, memory=0.72):
    """Windows of a series whose changes are alike, and its next value."""
    s = rng.normal(size=samples + steps)
    for i in range(2, len(s)):
        s[i] += (1 + memory - 0.02) * s[i - 1] - memory * s[i - 2]
    s = (s - s.mean()) / s.std()
    x = np.stack([s[i : i + steps] for i in range(samples)])
    return Data(x.astype("float32"), s[steps:].astype("float32"))


@net
def echo(x, rng):
    """The last value of the window, by a layer that has learned it."""
    kernel = np.eye(x.shape[1])[:, -1:]
    return layers.Dense(1, kernel_initializer=lambda *args, **kwargs: kernel)(x)


@net
def translator(x, rng, tokens=20):
    """A recurrent encoder and decoder."""
    one, two = (layers.Embedding(tokens, 16)(part) for part in x)
    size = int(rng.choice([16, 24, 32]))
    state = layers.GRU(size)(one)
    two = layers.GRU(size, return_sequences=True)(two, initial_state=state)
    return layers.Dense(tokens, activation="softmax")(two)


# The formatter would put every argument on its own line.
# fmt: off
FAULTS = [
    before("134", "column of the target",
        with_answer(curved(), lambda y: 2.713 * y - 1), mlp(1), "mse"),
    before("134", "column of the class", with_answer(rings()), mlp(1, "sigmoid"),
        BINARY),
    before("134", "decoder without a shift", reversed_words(), translator(), SPARSE),
    before("427", "LSTM behind padding", padded_texts(),
        words(1, "sigmoid", rows=61, body=layers.LSTM), BINARY),
    before("427", "GRU behind padding", padded_texts(steps=90),
        words(1, "sigmoid", rows=61, body=layers.GRU), BINARY),
    before("430", "which word comes first", which_first(), transformer(2, "softmax",
        rows=30), SPARSE),
    before("430", "waves without positions", series(noise=0.02), transformer(1), "mse"),
    before("426", "language model that reads both ways", next_words(), both_ways(),
        SPARSE),
    before("426", "language model without a mask", next_words(), unmasked(), SPARSE),
    before("428", "softmax over the batch", blobs(),
        mlp(3, None, after=[softmax_of_batch]), SPARSE, first="213 428"),
    before("429", "width before height", masks(), misplaced(transposed), BINARY),
    before("429", "upside down", masks(), misplaced(upside_down), BINARY),
    before("428", "mean of the batch", curved(), mlp(1, after=[without_mean]), "mse"),
    before("506", "echo of a slow series", slow_series(), echo(), "mse", sgd(1e-4)),
    before("506", "echo of a slower series", slow_series(memory=0.9), echo(), "mse",
        sgd(1e-4)),
]
# fmt: on
