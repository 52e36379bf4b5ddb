"""Faults that an experiment shows: of what `fit` gets, of layers, of the step."""

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.cases import BINARY, SPARSE
from benchmarks.diagnosis.data import (
    Data,
    but,
    curved,
    digits,
    one_hot,
    rings,
    source,
    table,
    unit,
)
from benchmarks.diagnosis.faults import before
from benchmarks.diagnosis.faults_of_training import root_of
from benchmarks.diagnosis.nets import mlp, net, width

DIGITS = digits()
DIABETES = but(table("diabetes"), y=unit)


class _Rows(keras.utils.PyDataset):
    """Batches of some rows, which a function of the index gives."""

    def __init__(self, data, rows, length):
        super().__init__()
        self.data, self.rows, self.length = data, rows, length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        chosen = self.rows(index)
        return self.data.x[chosen], self.data.y[chosen]


@source
def same_batch(rng, data, size=32):
    """Batches that draw their rows once."""
    old = data(rng)
    chosen = rng.integers(0, len(old.x), size)
    return Data(_Rows(old, lambda index: chosen, len(old.x) // size))


@source
def creeping(rng, data, size=32):
    """Batches that move by one sample, not by one batch."""
    old = data(rng)

    def rows(index):
        return np.arange(index, index + size) % len(old.x)

    return Data(_Rows(old, rows, len(old.x) // size))


def is_zero(y, _):
    """Whether a digit is 0: one in ten."""
    return (y == 0).astype("int64")


def inverted(y, _):
    """A weight for each sample that grows with the count of its class."""
    shares = np.bincount(y.astype(int)) / len(y)
    return (shares / (1 - shares))[y.astype(int)].astype("float32")


def of_mean_error(y, p):
    """A squared error of which the batch is averaged before the square."""
    return keras.ops.mean(keras.ops.square(keras.ops.mean(p - y, axis=0)))


def of_mean_target(y, p):
    """The squared distance to the mean target of the batch."""
    return keras.ops.mean(keras.ops.square(p - keras.ops.mean(y, axis=0)), axis=-1)


def some_zero(y, rng):
    """Positive targets, of which a few are 0."""
    y = np.abs(unit(y, rng)) + 1
    y[rng.random(len(y)) < 0.04] = 0
    return y


def one_sentinel(y, rng):
    """Targets of scale 1, and a missing one that is coded as a large number."""
    y = unit(y, rng)
    y[rng.integers(0, len(y))] = 1e9
    return y


def repeated_rows(x, _):
    """Inputs of which some are all 0."""
    x = x.copy()
    x[::20] = 0
    return x


@net
def with_norm(x, rng, units, head=None):
    """Features divided by their length, which is 0 for inputs of 0."""
    h = layers.Dense(width(rng), use_bias=False)(x)
    length = layers.Lambda(_length)(h)
    return layers.Dense(units, activation=head)(layers.Concatenate()([h, length]))


def _length(h):
    return keras.ops.sqrt(keras.ops.sum(h**2, axis=-1, keepdims=True))


def root_error(y, p):
    """The distance of an answer to its target, with an infinite slope at 0."""
    return keras.ops.sqrt(keras.ops.sum(keras.ops.square(y - p), axis=-1))


def relative_error(y, p):
    """A squared error of which each target is the unit."""
    return keras.ops.mean(keras.ops.square((p - y) / (y + 1e-6)), axis=-1)


def last_kernel_0(model, data):
    """The first answers are 0, and so are some targets."""
    model.layers[-1].kernel.assign(0 * model.layers[-1].kernel)


# The formatter would put every argument on its own line.
# fmt: off
GRADIENTS = [
    before("412", "the length of a vector of 0",
        but(table("wine"), x=repeated_rows), with_norm(3, "softmax"), SPARSE),
    before("412", "a loss with a root, at a perfect answer",
        but(table("diabetes"), y=some_zero), mlp(1), root_error, change=last_kernel_0),
    before("412", "the root of a size", but(table("wine"), x=repeated_rows),
        root_of(3, "softmax", function=lambda h: keras.ops.sqrt(keras.ops.abs(h))), SPARSE),
    before("212", "the mean of a class", but(table("iris"), y=one_hot),
        mlp(3, "softmax"), of_mean_error),
    before("212", "the mean before the square", DIABETES, mlp(1), of_mean_error),
    before("212", "the mean of the targets", curved(), mlp(1), of_mean_target),
    before("413", "a percentage of 0", but(table("diabetes"), y=some_zero), mlp(1),
        "mape", first="413 206"),
    before("413", "an error relative to 0", but(table("boston_housing"), y=some_zero),
        mlp(1), relative_error),
    before("413", "a missing target as a large number",
        but(table("boston_housing"), y=one_sentinel), mlp(1), "mse",
        first="413 111 108"),
]
PIPELINE = [
    before("135", "rows drawn once", same_batch(rings()), mlp(1, "sigmoid"), BINARY),
    before("135", "batches that move by one", creeping(curved()), mlp(1), "mse"),
    before("145", "weights grow with the counts",
        but(but(DIGITS, y=is_zero), sample_weight=inverted), mlp(1, "sigmoid"), BINARY),
    before("145", "weights grow with the counts, two units",
        but(but(DIGITS, y=is_zero), sample_weight=inverted), mlp(2, "softmax"), SPARSE),
]
# fmt: on

FAULTS = [
    *PIPELINE,
    *GRADIENTS,
]
