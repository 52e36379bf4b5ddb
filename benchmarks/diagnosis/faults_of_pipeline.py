"""Faults of what `fit` gets: batches over time, class weights, validation data."""

import keras
import numpy as np
import scipy.ndimage

from benchmarks.diagnosis.cases import BINARY, SPARSE
from benchmarks.diagnosis.data import (
    Data,
    blobs,
    but,
    curved,
    digits,
    linear,
    masks,
    rings,
    source,
    squares,
)
from benchmarks.diagnosis.faults import before
from benchmarks.diagnosis.nets import cnn, mlp, segmenter, unet

DIGITS = digits()
NORM = keras.layers.BatchNormalization


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
def resized(rng, scale, count=80, size=16):
    """Images of four kinds of squares, and their masks, made smaller by a function."""
    wide = 4 * size
    masks = np.zeros((count, wide, wide))
    for mask in masks:
        for label in rng.permutation([1, 2, 3, 4]):
            top, left = rng.integers(0, wide - 20, 2)
            mask[top : top + 20, left : left + 20] = label
    x = masks[:, 2::4, 2::4, None] / 4 + rng.normal(0, 0.1, (count, size, size, 1))
    return Data(x.astype("float32"), scale(masks))


def averaged(masks):
    """Each id the mean of sixteen."""
    shape = (len(masks), masks.shape[1] // 4, 4, masks.shape[2] // 4, 4)
    return masks.reshape(shape).mean((2, 4)).round().astype("int32")


def tilted(masks):
    """Turned by some degrees, with interpolation, and then made smaller."""
    turned = scipy.ndimage.rotate(masks, 11, (2, 1), reshape=False, order=1)
    return averaged(turned)


@source
def creeping(rng, data, size=32):
    """Batches that move by one sample, not by one batch."""
    old = data(rng)

    def rows(index):
        return np.arange(index, index + size) % len(old.x)

    return Data(_Rows(old, rows, len(old.x) // size))


@source
def watched(rng, data, monitor, mode):
    """Training with a callback that cuts the learning rate."""
    plateau = keras.callbacks.ReduceLROnPlateau(monitor=monitor, mode=mode)
    return data(rng)._replace(fit={"callbacks": [plateau]})


@source
def one_by_one(rng, data):
    """Batches of one sample."""
    old = data(rng)
    return Data(_Rows(old, lambda index: slice(index, index + 1), len(old.x)))


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


@source
def in_order(rng, data, size=32, scale=None):
    """Batches sorted by target, or with inputs scaled by a function of the index."""
    old = data(rng)
    if scale is None:
        order = np.argsort(old.y, kind="stable")
        old = Data(old.x[order], old.y[order])

    class Changed(_Rows):
        def __getitem__(self, index):
            x, y = super().__getitem__(index)
            return (x if scale is None else x * scale(index)).astype("float32"), y

    def rows(index):
        return slice(index * size, (index + 1) * size)

    return Data(Changed(old, rows, len(old.x) // size))


def moved(values, _):
    """Each sample gets what belongs to the next."""
    return np.roll(values, 1, axis=0)


def backwards(values, _):
    """The samples in reversed order."""
    return values[::-1]


def turned(values, _):
    """Rows and columns of maps exchanged."""
    return values.swapaxes(1, 2)


def upside_down(values, _):
    """Maps with the last row first."""
    return values[:, ::-1]


@source
def validated(rng, data, x=None, y=None, shared=0):
    """A fourth held out, changed by functions, with some samples of the training."""
    old = data(rng)
    cut = len(old.x) // 4
    x_val, y_val = old.x[: cut + shared], old.y[: cut + shared]
    held_out = (x(x_val) if x else x_val), (y(y_val) if y else y_val)
    return Data(old.x[cut:], old.y[cut:], fit={"validation_data": held_out})


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
    before("151", "masks that are averaged", resized(averaged), unet(5, "softmax"),
        SPARSE),
    before("151", "masks that are turned", resized(tilted), unet(5, "softmax"), SPARSE),
    before("135", "rows drawn once", same_batch(rings()), mlp(1, "sigmoid"), BINARY),
    before("135", "batches that move by one", creeping(curved()), mlp(1), "mse"),
    before("419", "a loss that should rise", watched(curved(), "loss", "max"),
        mlp(1), "mse"),
    before("419", "a validation loss that should rise",
        watched(DIGITS, "val_loss", "max"), mlp(10, "softmax"), SPARSE),
    before("419", "an accuracy that should fall",
        watched(rings(), "val_accuracy", "min"), mlp(1, "sigmoid"), BINARY),
    before("307", "one sample a batch", one_by_one(curved()),
        mlp(1, norm=NORM), "mse"),
    before("307", "one sample a batch, two classes", one_by_one(rings()),
        mlp(1, "sigmoid", norm=NORM), BINARY),
    before("307", "one digit a batch", one_by_one(DIGITS),
        mlp(10, "softmax", norm=NORM), SPARSE),
    before("136", "batches class by class", in_order(DIGITS), mlp(10, "softmax"),
        SPARSE),
    before("136", "two classes one after the other", in_order(rings()),
        mlp(1, "sigmoid"), BINARY),
    before("137", "every third batch divided",
        in_order(DIGITS, scale=lambda i: 1 if i % 3 else 1 / 255), mlp(10, "softmax"),
        SPARSE),
    before("137", "every other batch of another unit",
        in_order(curved(), scale=lambda i: 1 if i % 2 else 60), mlp(1), "mse"),
    before("139", "targets moved by a row", but(linear(), y=moved), mlp(1), "mse"),
    before("139", "digits in reversed order", but(DIGITS, y=backwards),
        mlp(10, "softmax"), SPARSE),
    before("140", "masks transposed", but(masks(), y=turned), segmenter(1, "sigmoid"),
        BINARY),
    before("140", "masks upside down", but(masks(), y=upside_down),
        unet(1, "sigmoid"), BINARY),
    before("138", "mirrored images, masks as they were", mirrored(masks()),
        segmenter(1, "sigmoid"), BINARY),
    before("138", "mirrored images, masks as they were, deeper", mirrored(masks()),
        unet(1, "sigmoid"), BINARY),
    before("138", "mirrored images, positions as they were", mirrored(squares()),
        cnn(2), "mse"),
    before("141", "validation as it was read", validated(DIGITS, x=lambda x: 255 * x),
        mlp(10, "softmax"), SPARSE),
    before("141", "validation of another level",
        validated(curved(), x=lambda x: x + 5), mlp(1), "mse"),
    before("142", "validation classes in another order",
        validated(blobs(), y=lambda y: (y + 1) % 3), mlp(3, "softmax"), SPARSE),
    before("142", "validation targets unscaled",
        validated(linear(), y=lambda y: 20 * y), mlp(1), "mse"),
    before("143", "validation in the training", validated(rings(), shared=60),
        mlp(1, "sigmoid"), BINARY),
    before("143", "validation digits in the training", validated(DIGITS, shared=100),
        mlp(10, "softmax"), SPARSE),
    before("603", "validation columns in another order",
        validated(DIGITS, x=lambda x: x[:, np.random.default_rng(0).permutation(64)]),
        mlp(10, "softmax"), SPARSE),
    before("603", "validation columns rolled",
        validated(linear(), x=lambda x: np.roll(x, 1, 1)), mlp(1), "mse"),
    before("145", "weights grow with the counts",
        but(but(DIGITS, y=is_zero), sample_weight=inverted), mlp(1, "sigmoid"), BINARY),
    before("145", "weights grow with the counts, two units",
        but(but(DIGITS, y=is_zero), sample_weight=inverted), mlp(2, "softmax"), SPARSE),
]
# fmt: on
