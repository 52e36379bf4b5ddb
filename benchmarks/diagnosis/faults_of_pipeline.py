"""Faults of what `fit` gets: batches over time, class weights, validation data."""

import keras
import numpy as np

from benchmarks.diagnosis.cases import BINARY, SPARSE
from benchmarks.diagnosis.data import (
    Data,
    but,
    curved,
    digits,
    masks,
    rings,
    source,
    squares,
)
from benchmarks.diagnosis.faults import before
from benchmarks.diagnosis.nets import cnn, mlp, segmenter

DIGITS = digits()


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


@source
def mirrored(rng, data, size=32):
    """Batches with half of the images mirrored, and their targets as they were."""
    old = data(rng)

    class Mirrored(_Rows):
        def __getitem__(self, index):
            x, y = super().__getitem__(index)
            chosen = rng.random(len(x)) < 0.5
            return np.where(chosen[:, None, None, None], x[:, :, ::-1], x), y

    def rows(index):
        return slice(index * size, (index + 1) * size)

    return Data(Mirrored(old, rows, len(old.x) // size))


def is_zero(y, _):
    """Whether a digit is 0: one in ten."""
    return (y == 0).astype("int64")


def inverted(y, _):
    """A weight for each sample that grows with the count of its class."""
    shares = np.bincount(y.astype(int)) / len(y)
    return (shares / (1 - shares))[y.astype(int)].astype("float32")


# The formatter would put every argument on its own line.
# fmt: off
FAULTS = [
    before("135", "rows drawn once", same_batch(rings()), mlp(1, "sigmoid"), BINARY),
    before("135", "batches that move by one", creeping(curved()), mlp(1), "mse"),
    before("138", "mirrored images, masks as they were", mirrored(masks()),
        segmenter(1, "sigmoid"), BINARY),
    before("138", "mirrored images, positions as they were", mirrored(squares()),
        cnn(2), "mse"),
    before("145", "weights grow with the counts",
        but(but(DIGITS, y=is_zero), sample_weight=inverted), mlp(1, "sigmoid"), BINARY),
    before("145", "weights grow with the counts, two units",
        but(but(DIGITS, y=is_zero), sample_weight=inverted), mlp(2, "softmax"), SPARSE),
]
# fmt: on
