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
from benchmarks.diagnosis.nets import mlp, net, rnn, transformer, width, words

CTC = keras.losses.CTC()


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


@source
def first_step(rng, samples=400, steps=12):
    """Series of random numbers, and the first of each."""
    x = rng.normal(size=(samples, steps, 2)).astype("float32")
    return Data(x, x[:, 0, :1] + rng.normal(0, 0.1, (samples, 1)).astype("float32"))


@source
def quarter_ahead(rng, samples=500, steps=1, period=40):
    """Windows of a wave, and its value a quarter of a period after them."""
    time = np.arange(samples + steps + period // 4)
    wave = np.sin(2 * np.pi * time / period) + rng.normal(0, 0.03, len(time))
    x = np.stack([wave[i : i + steps] for i in range(samples)])
    y = wave[steps - 1 + period // 4 :][:samples]
    return Data(x[..., None].astype("float32"), y.astype("float32"))


@source
def sales(rng, samples=500, days=16):
    """Sales by day, 0 on many days and behind the last; the share of days without."""
    within = np.arange(days) < rng.integers(days // 2, days + 1, (samples, 1))
    chance = rng.uniform(0.1, 0.9, (samples, 1))
    sold = rng.uniform(1, 2, within.shape) * (rng.uniform(size=within.shape) < chance)
    sold[:, 0] = 1.5
    share = ((sold == 0) & within).sum(1) / within.sum(1)
    x = (sold * within)[..., None].astype("float32")
    return Data(x, (4 * share - 2).astype("float32"))


@source
def words_from_0(rng, samples=500, steps=16):
    """Lines of four words, padded with 0, and how often they have the first word."""
    within = np.arange(steps) < rng.integers(steps // 2, steps + 1, (samples, 1))
    is_other = rng.uniform(size=within.shape) < rng.uniform(0.1, 0.9, (samples, 1))
    x = rng.integers(1, 4, within.shape) * is_other
    x[:, 0] = 1
    share = ((x == 0) & within).sum(1) / within.sum(1)
    return Data(np.where(within, x, 0), (8 * share - 2).astype("float32"))


@source
def strings(rng, samples=300, length=4, symbols=3):
    """Strings of symbols from 0, each symbol over two of three steps."""
    y = rng.integers(0, symbols, (samples, length))
    x = np.zeros((samples, 3 * length, symbols))
    for place in range(length):
        for step in (0, 1):
            x[np.arange(samples), 3 * place + step, y[:, place]] = 1
    return Data((x + rng.normal(0, 0.2, x.shape)).astype("float32"), y)


@net
def part(x, rng, kept, body=layers.Flatten):
    """Sees a slice of its input."""
    x = layers.Lambda(kept)(x)
    x = body()(x)
    return layers.Dense(1)(layers.Dense(width(rng), activation="relu")(x))


def at_the_end():
    """The last place behind a convolution of three steps."""
    return keras.Sequential([layers.Conv1D(16, 3), layers.Lambda(lambda h: h[:, -1])])


def state():
    """The last state of a recurrent layer."""
    return layers.GRU(16)


@net
def shown(x, rng):
    """The mean over the steps that are not 0."""
    x = layers.Dense(width(rng), activation="relu")(layers.Masking()(x))
    return layers.Dense(1)(layers.GlobalAveragePooling1D()(x))


@net
def reader(x, rng, units):
    """A convolution, and a score for each symbol and the blank at each step."""
    x = layers.Conv1D(width(rng), 3, padding="same", activation="relu")(x)
    return layers.Dense(units)(x)


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
    before("432", "a slice of the last steps", first_step(),
        part(lambda x: x[:, -4:], state), "mse"),
    before("432", "the last place of a convolution", first_step(),
        part(lambda x: x, at_the_end), "mse"),
    before("432", "half of the steps", first_step(), part(lambda x: x[:, 6:]), "mse"),
    before("433", "an LSTM with one step", quarter_ahead(), rnn(1), "mse"),
    before("433", "a GRU with one step", quarter_ahead(), rnn(1, cell=layers.GRU),
        "mse"),
    before("433", "both ways with one step", quarter_ahead(), rnn(1, both=True), "mse"),
    before("150", "the mean of the days with sales", sales(), shown(), "mse"),
    before("150", "words numbered from 0", words_from_0(),
        words(1, rows=5, mask_zero=True), "mse"),
    before("217", "three symbols from 0", strings(), reader(4), CTC),
    before("217", "six symbols from 0", strings(symbols=6), reader(7), CTC),
    before("506", "echo of a slow series", slow_series(), echo(), "mse", sgd(1e-4)),
    before("506", "echo of a slower series", slow_series(memory=0.9), echo(), "mse",
        sgd(1e-4)),
]
# fmt: on
