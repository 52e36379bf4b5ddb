"""Faults of inputs, targets and labels: KTF1xx."""

import keras
import numpy as np
from keras import layers

import keras_trainfix as kt
from benchmarks.diagnosis.cases import BINARY, CATEGORICAL, SPARSE, adam, rmsprop, sgd
from benchmarks.diagnosis.data import (
    blobs,
    but,
    column,
    curved,
    digits,
    linear,
    masks,
    mnist,
    noise,
    one_hot,
    rings,
    series,
    source,
    table,
    tagged,
    texts,
    tissues,
    unit,
)
from benchmarks.diagnosis.faults import after, before
from benchmarks.diagnosis.nets import (
    cnn,
    conv1d,
    mlp,
    rnn,
    segmenter,
    two_outputs,
    unet,
    words,
)

SPARSE_LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
IMAGES = digits((8, 8, 1))
CANCER = table("breast_cancer", most=300)


def times(factor, plus=0):
    """Scales and shifts numbers."""
    return lambda values, _: (values * factor + plus).astype("float32")


def spoiled(value, share=0.03):
    """Replaces some numbers by NaN, infinity or the like."""

    def change(values, rng):
        return np.where(rng.random(values.shape) < share, value, values).astype(
            "float32"
        )

    return change


def all_the_same(values, _):
    """Replaces every sample by the first."""
    return np.repeat(values[:1], len(values), 0)


def all_zero(values, _):
    """All zeros, as after truncation to integers."""
    return np.zeros_like(values)


def mostly_zero_columns(values, rng):
    """Sets two thirds of the features to 0."""
    lost = rng.permutation(values.shape[1])[: 2 * values.shape[1] // 3]
    values = values.copy()
    values[:, lost] = 0
    return values


def integer_masks(y, _):
    """Integer masks `(N, H, W)`."""
    return y[..., 0].astype("int64")


def void(value, share=0.15):
    """Integer masks in which some pixels have this value."""

    def change(y, rng):
        y = y[..., 0] if y.shape[-1] == 1 else y
        return np.where(rng.random(y.shape) < share, value, y).astype("int64")

    return change


def void_in_rows(value, classes=2):
    """One-hot masks in which some rows hold only this value."""

    def change(y, rng):
        rows = one_hot(y[..., 0], classes=classes)
        rows[rng.random(rows.shape[:-1]) < 0.2] = value
        return rows

    return change


def rare(least=0.98):
    """Targets that are 0 except for a few."""
    return lambda y, rng: np.where(rng.random(y.shape) < least, 0, y).astype("float32")


def a_weight_each(y, rng):
    """One weight per sample."""
    return rng.uniform(0.5, 2, len(y)).astype("float32")


def shuffled(y, rng):
    """Targets shuffled independently of the inputs."""
    return rng.permutation(y)


@source
def split_off(rng, data, share=0.2):
    """Training with the end of the samples for validation."""
    return data(rng)._replace(fit={"validation_split": share})


def sorted_by_class(data):
    """Samples sorted by label."""

    def change(rng):
        old = data(rng)
        order = np.argsort(old.y, kind="stable")
        return old._replace(x=old.x[order], y=old.y[order])

    return change


# The formatter would put every argument on its own line.
# fmt: off
INPUTS = [
    before("101", "pixels to 255, dense", but(digits(), x=times(255)),
        mlp(10, "softmax"), SPARSE),
    before("101", "pixels to 255, convolutions", mnist(128, 1), cnn(10, "softmax"),
        SPARSE),
    before("101", "wine as it is", table("wine", scaled=False), mlp(3, "softmax"),
        SPARSE),
    before("101", "cancer as it is", table("breast_cancer", scaled=False),
        mlp(1, "sigmoid"), BINARY, sgd(0.01)),
    before("101", "housing as it is", table("boston_housing", scaled=False), mlp(1),
        "mse", rmsprop()),
    before("101", "prices into an LSTM", but(series(), x=times(300, 9000)), rnn(1),
        "mse"),
    before("101", "divided by 255 twice", but(digits(), x=times(1 / 255**2)),
        mlp(10, "softmax"), SPARSE),
    after("101", "pixels to 255, deep, SGD", but(digits(), x=times(255)),
        mlp(10, "softmax", 4), SPARSE, sgd(0.01), 5, first="101 409"),
    before("102", "gaps in a table", but(table("diabetes"), x=spoiled(np.nan), y=unit),
        mlp(1), "mse"),
    before("102", "logarithm of 0", but(linear(), x=spoiled(-np.inf, 0.01)), mlp(1),
        "mse", sgd(0.01)),
    before("102", "a broken image", but(IMAGES, x=spoiled(np.nan, 0.001)),
        cnn(10, "softmax"), SPARSE),
    after("102", "gaps, trained", but(CANCER, x=spoiled(np.nan)), mlp(1, "sigmoid"),
        BINARY, adam(), 2),
    before("103", "images cut to 0", but(IMAGES, x=all_zero), cnn(10, "softmax"),
        SPARSE),
    before("103", "one row for all", but(table("iris"), x=all_the_same),
        mlp(3, "softmax"), SPARSE),
    before("103", "one window for all", but(series(), x=all_the_same), rnn(1), "mse"),
    before("103", "columns lost", but(CANCER, x=mostly_zero_columns),
        mlp(1, "sigmoid"), BINARY),
    after("103", "images cut to 0, trained", but(digits(), x=all_zero),
        mlp(10, "softmax"), SPARSE, adam(), 3),
    before("128", "an embedding of measurements", linear(), words(1), "mse"),
    before("128", "an embedding of scaled pixels", digits(),
        words(10, "softmax", body=layers.LSTM), SPARSE),
    before("128", "an embedding of a table", table("wine"), words(3, "softmax"),
        SPARSE),
    before("128", "ids beyond the vocabulary", texts(words=90),
        words(1, "sigmoid", rows=60), BINARY),
]
TARGETS = [
    before("111", "prices in dollars, Adam",
        but(table("boston_housing"), y=times(1e4)), mlp(1), "mse"),
    before("111", "prices in dollars, SGD", but(table("boston_housing"), y=times(1e4)),
        mlp(1), "mse", sgd(0.01), first="111 401"),
    before("111", "salaries", but(linear(), y=times(2e4, 6e4)), mlp(1), "mae"),
    before("111", "years in seconds", but(series(), y=times(3e6, 1e9)), rnn(1), "mse"),
    before("111", "one column of three",
        but(linear(outputs=3), y=lambda y, _: y * [1, 1, 4e4]), mlp(3), "mse"),
    after("111", "prices, trained a little", but(linear(), y=times(2e5, 4e5)), mlp(1),
        "mse", adam(), 3),
    before("112", "pressures around 1013", but(linear(), y=times(1, 1013)), mlp(1),
        "mse", first="112 111"),
    before("112", "almost always 0", but(curved(), y=rare(0.99)), mlp(1), "mse"),
    before("112", "years", but(linear(), y=times(3, 2010)), mlp(1), "mae",
        first="112 111"),
    before("113", "logarithm of no sales", but(linear(), y=spoiled(-np.inf)), mlp(1),
        "mse"),
    before("113", "gaps in the targets",
        but(table("diabetes"), y=lambda y, rng: spoiled(np.nan)(unit(y), rng)), mlp(1),
        "mae"),
    before("113", "a gap in a series", but(series(), y=spoiled(np.nan, 0.02)), rnn(1),
        "mse"),
    before("113", "a gap in one of two targets", but(digits(), y=lambda y,
        rng: {"first": y, "second": spoiled(np.nan)(column(y), rng)}),
        two_outputs((10, "softmax")), {"first": SPARSE, "second": "mse"}),
]
LABELS = [
    before("121|205", "labels from 1", but(table("iris"), y=lambda y, _: y + 1),
        mlp(3, "softmax"), SPARSE),
    before("121|205", "digits from 1", but(IMAGES, y=lambda y, _: y + 1),
        cnn(10, "softmax"), SPARSE),
    before("121|205", "labels in tens", but(blobs(), y=lambda y, _: 10 * (y + 1)),
        mlp(3, "softmax"), SPARSE),
    before("121|205", "a class too many in masks",
        but(tissues(), y=lambda y, _: np.where(y == 255, 4, y)), unet(4),
        SPARSE_LOGITS),
    before("121|122", "a label of -1", but(blobs(), y=lambda y, _: y - 1),
        mlp(3, "softmax"), SPARSE),
    before("122", "void trained in tissues", tissues(), unet(4), SPARSE_LOGITS,
        first="122 121"),
    before("122", "void in binary masks",
        but(masks(), y=lambda y, rng: void(255)(y, rng)[..., None]),
        segmenter(1, "sigmoid"), BINARY, first="122 123"),
    before("122", "void of -1", but(masks(), y=void(-1)), segmenter(2), SPARSE_LOGITS,
        first="122 121"),
    before("122", "void not told to ours", tissues(), segmenter(4),
        kt.MaskedCrossentropy(from_logits=True, ignore_class=None), first="122 121"),
    before("123", "masks of 0 and 255", but(masks(), y=times(255)),
        segmenter(1, "sigmoid"), BINARY),
    before("123", "masks of 0 and 255, Dice", but(masks(), y=times(255)),
        unet(1, "sigmoid"), keras.losses.Dice(), first="123 208"),
    before("123", "masks divided to 0",
        but(masks(), y=lambda y, _: (y // 255).astype("uint8")), unet(1, "sigmoid"),
        BINARY),
    before("123", "bytes as masks, logits",
        but(masks(), y=lambda y, _: (y * 255).astype("uint8")), segmenter(1),
        keras.losses.BinaryCrossentropy(from_logits=True)),
    before("124", "255 in one-hot rows", but(masks(), y=void_in_rows(255)),
        segmenter(2, "softmax"), CATEGORICAL),
    before("124", "rows of zeros", but(masks(), y=void_in_rows(0)),
        segmenter(2, "softmax"),
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1)),
    before("124", "rows of zeros, logits", but(masks(), y=void_in_rows(0)), unet(2),
        keras.losses.CategoricalCrossentropy(from_logits=True)),
    before("124", "255 in one-hot rows, Dice", but(masks(), y=void_in_rows(255)),
        unet(2, "softmax"), keras.losses.Dice(), first="124 208"),
    before("125", "one of fifty is ill", blobs(500, shares=[0.98, 0.02], classes=2),
        mlp(1, "sigmoid"), BINARY),
    before("125", "three classes, one everywhere",
        blobs(500, shares=[0.97, 0.02, 0.01]), mlp(3, "softmax"), SPARSE),
    before("125", "a small square", masks(side=2), segmenter(1, "sigmoid"), BINARY),
    before("125", "one-hot, out of balance",
        but(blobs(500, shares=[0.02, 0.98], classes=2), y=one_hot), mlp(2, "softmax"),
        CATEGORICAL),
    before("126", "weights of images",
        but(masks(size=32), sample_weight=a_weight_each), segmenter(1, "sigmoid"),
        BINARY),
    before("126", "weights of masks, sparse",
        but(masks(size=32), y=integer_masks, sample_weight=a_weight_each),
        segmenter(2, "softmax"), SPARSE),
    before("126", "weights of sequences",
        but(tagged(steps=32), sample_weight=a_weight_each),
        rnn(2, "softmax", return_sequences=True), SPARSE),
    before("127", "iris in order", split_off(table("iris", ordered=True)),
        mlp(3, "softmax"), SPARSE),
    before("127", "digits in order", split_off(digits((8, 8, 1), ordered=True)),
        cnn(10, "softmax"), SPARSE),
    before("127", "dogs after cats", split_off(sorted_by_class(blobs(classes=2))),
        mlp(1, "sigmoid"), BINARY),
    before("127", "texts in order", split_off(sorted_by_class(texts(classes=3))),
        words(3, "softmax"), SPARSE),
]
SIGNAL = [
    after("131", "noise, classes", noise(classes=2), mlp(1, "sigmoid", (16,)), BINARY,
        adam(), 30),
    after("131", "noise, a number", noise(), mlp(1, None, (16,)), "mse", adam(), 30),
    after("131", "labels shuffled", but(IMAGES, y=shuffled),
        cnn(10, "softmax", (8, 16)), SPARSE, adam(), 10),
    after("131", "shuffled series", but(series(), y=shuffled), conv1d(1), "mse",
        adam(), 20),
    before("131", "noise, before", noise(classes=3), mlp(3, "softmax"), SPARSE),
    before("132", "a sum", linear(noise=0.01), mlp(1), "mse"),
    before("132", "clouds far apart", blobs(distance=8), mlp(3, "softmax"), SPARSE),
    before("132", "wine", table("wine"), mlp(3, "softmax"), SPARSE),
    after("504", "a class that looks like another", but(blobs(400, 4, 2), y=lambda y,
        rng: np.where((y == 1) & (rng.random(len(y)) < 0.15), 2, y)),
        mlp(3, "softmax", ()), SPARSE, adam(0.01), 25),
    after("504", "a rare class under a common one", but(rings(), y=lambda y,
        rng: np.where((y == 0) & (rng.random(len(y)) < 0.3), 2, y)),
        mlp(3, "softmax", (24,)), SPARSE, adam(0.005), 25),
    after("504", "a class of no weight", blobs(400, 6, 3), mlp(3, "softmax"), SPARSE,
        adam(0.003), 25, fit={"class_weight": {0: 1.0, 1: 1.0, 2: 0.0}}),
    after("505|507", "shuffled on the way to fit", linear(), mlp(1, None, (32,)), "mse",
        adam(0.003), 40, trained_on=shuffled),
    after("505|507", "labels shifted by one", blobs(640), mlp(3, "softmax", (16,)),
        SPARSE, adam(0.005), 12, trained_on=lambda y, _: np.roll(y, 1)),
    after("509", "labels the other way round", CANCER, mlp(1, "sigmoid", (16,)),
        BINARY, adam(0.003), 25, trained_on=lambda y, _: 1 - y),
    after("505|507", "labels of other rows", CANCER, mlp(1, "sigmoid", (16,)), BINARY,
        adam(0.003), 25, trained_on=shuffled),
]
# fmt: on
FAULTS = [*INPUTS, *TARGETS, *LABELS, *SIGNAL]
