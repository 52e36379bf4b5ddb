"""Faults of heads and losses: KTF2xx."""

import keras
from keras import layers, ops

import keras_trainfix as kt
from benchmarks.diagnosis.cases import BINARY, CATEGORICAL, SPARSE, adam, sgd
from benchmarks.diagnosis.data import (
    but,
    column,
    curved,
    digits,
    linear,
    masks,
    one_hot,
    rings,
    series,
    squares,
    table,
    texts,
    unit,
)
from benchmarks.diagnosis.faults import after, before
from benchmarks.diagnosis.nets import cnn, mlp, rnn, segmenter, unet, words

SPARSE_LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
CATEGORICAL_LOGITS = keras.losses.CategoricalCrossentropy(from_logits=True)
BINARY_LOGITS = keras.losses.BinaryCrossentropy(from_logits=True)
IMAGES = digits((8, 8, 1))
IRIS, CANCER = table("iris"), table("breast_cancer", most=300)
BOSTON = table("boston_housing")


class SquaredError(keras.Loss):
    """A custom loss that assumes its arguments have the same shape."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred))


class AbsoluteError(keras.Loss):
    """Another custom loss with the same assumption."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.abs(y_pred - y_true), axis=-1)


class OwnCrossentropy(keras.Loss):
    """A custom cross-entropy with the same assumption."""

    def call(self, y_true, y_pred):
        y_pred = ops.clip(y_pred, 1e-6, 1 - 1e-6)
        terms = y_true * ops.log(y_pred) + (1 - y_true) * ops.log(1 - y_pred)
        return -ops.mean(terms)


def three_quantiles(y_true, y_pred):
    """A pinball loss of the quantiles .1, .5 and .9, one unit each."""
    low, middle, high = ops.split(y_pred, 3, axis=-1)
    terms = []
    for quantile, answer in ((0.1, low), (0.5, middle), (0.9, high)):
        error = y_true - answer
        terms.append(ops.mean(ops.maximum(quantile * error, (quantile - 1) * error)))
    return sum(terms)


def gaussian_nll(y_true, y_pred):
    """Of a mean and a spread from two units."""
    mean, log_std = ops.split(y_pred, 2, axis=-1)
    return ops.mean(log_std + ((y_true - mean) * ops.exp(-log_std)) ** 2 / 2, axis=-1)


def dice_coefficient(y_true, y_pred):
    """Dice over the batch: a score, not a loss."""
    both = ops.sum(y_true * y_pred)
    return 2 * (both + 1) / (ops.sum(y_true) + ops.sum(y_pred) + 2)


def dice_loss(y_true, y_pred):
    """One minus Dice over the batch, as in much published code."""
    return 1 - dice_coefficient(y_true, y_pred)


def iou_loss(y_true, y_pred):
    """Negative intersection over union, as in much published code."""
    both = ops.sum(y_true * y_pred)
    return -both / (ops.sum(y_true) + ops.sum(y_pred) - both + 1e-7)


def log_likelihood(y_true, y_pred):
    """The log-likelihood without the minus that would make it a loss."""
    shares = ops.clip(y_pred, 1e-7, 1.0)
    return ops.sum(ops.cast(y_true, shares.dtype) * ops.log(shares), axis=-1)


def flat(y, _):
    """`(N,)` in float32."""
    return y.reshape(-1).astype("float32")


def signs(y, _):
    """-1 and 1 for 0 and 1."""
    return 2.0 * column(y) - 1


def squeezed(y, _):
    """Maps targets by rank to 0.05 ... 0.95."""
    return ((y.argsort(0).argsort(0) / len(y)) * 0.9 + 0.05).astype("float32")


# The formatter would put every argument on its own line.
# fmt: off
HEADS = [
    before("214", "a softmax of a softmax", digits(),
        mlp(10, "softmax", after=[layers.Softmax]), SPARSE),
    before("214", "a sigmoid of a ReLU", rings(),
        mlp(1, "relu", after=[lambda: layers.Activation("sigmoid")]), BINARY),
    before("214", "a sigmoid of a sigmoid", CANCER,
        mlp(1, "sigmoid", after=[lambda: layers.Activation("sigmoid")]), BINARY),
    before("201", "softmax on one unit", CANCER, mlp(1, "softmax"), BINARY),
    before("201", "softmax on one unit, a number", but(BOSTON, y=unit),
        mlp(1, "softmax"), "mse"),
    before("201", "softmax on one channel", masks(), unet(1, "softmax"), BINARY),
    before("201", "softmax on one unit, texts", texts(),
        words(1, "softmax", body=layers.LSTM), BINARY),
    after("201", "softmax on one unit, trained", rings(), mlp(1, "softmax"), BINARY,
        adam(), 5),
    before("202", "ReLU for negative targets", linear(), mlp(1, "relu"), "mse"),
    before("202", "sigmoid for prices", BOSTON, mlp(1, "sigmoid"), "mse"),
    before("202", "tanh for mpg", table("auto_mpg"), mlp(1, "tanh"), "mae"),
    before("202", "softmax for positions", but(squares(), y=lambda y, _: 8 * (y + 1)),
        cnn(2, "softmax"), "mse"),
    before("202", "sigmoid for a wave", series(), rnn(1, "sigmoid"), "mse"),
    after("202", "ReLU for negative targets, trained",
        but(curved(), y=lambda y, _: y - 5), mlp(1, "relu"), "mse", adam(), 10),
    before("203", "no activation, binary", CANCER, mlp(1), BINARY),
    before("203", "no activation, ten classes", IMAGES, cnn(10), SPARSE),
    before("203", "no activation, masks", masks(), segmenter(1), BINARY),
    before("203", "ReLU on the logits", but(IRIS, y=one_hot), mlp(3, "relu"),
        CATEGORICAL),
    before("203", "tanh and cross-entropy", texts(), words(1, "tanh"), BINARY,
        first="203 205"),
    before("204", "softmax, and logits asked for", IRIS, mlp(3, "softmax"),
        SPARSE_LOGITS),
    before("204", "sigmoid, and logits asked for", CANCER, mlp(1, "sigmoid"),
        BINARY_LOGITS),
    before("204", "softmax in masks, and logits asked for", masks(),
        segmenter(1, "sigmoid"), BINARY_LOGITS),
    before("204", "softmax of ten, and logits asked for", but(digits(), y=one_hot),
        mlp(10, "softmax"), CATEGORICAL_LOGITS),
    before("204", "softmax, and ours with logits",
        but(masks(), y=lambda y, _: y[..., 0].astype("int64")), unet(2, "softmax"),
        kt.MaskedCrossentropy(from_logits=True)),
    before("205", "categorical on one sigmoid", but(CANCER, y=column),
        mlp(1, "sigmoid"), CATEGORICAL),
    before("205", "sigmoids for digits", but(digits(), y=one_hot), mlp(10, "sigmoid"),
        CATEGORICAL),
    before("205", "binary on ten softmax units", but(IMAGES, y=one_hot),
        cnn(10, "softmax"), BINARY),
    before("205|121|201", "sparse on one unit", IRIS, mlp(1, "softmax"), SPARSE,
        first="205 121 201"),
    before("205|121", "two units for three classes", IRIS, mlp(2, "softmax"), SPARSE),
    before("206", "one-hot into sparse", but(IRIS, y=one_hot), mlp(3, "softmax"),
        SPARSE),
    before("206", "ids into categorical", digits(), mlp(10, "softmax"), CATEGORICAL),
    before("206", "cross-entropy for prices", BOSTON, mlp(1, "sigmoid"), BINARY,
        first="206 202"),
    before("206", "squared error for classes", but(digits(), y=one_hot),
        mlp(10, "softmax"), "mse"),
    before("206", "sparse for a wave", but(series(), y=lambda y, _: 3 + 2 * y),
        rnn(4, "softmax"), SPARSE),
    before("215", "equal probabilities", but(digits(), y=one_hot), mlp(10, "softmax"),
        CATEGORICAL, metrics=[keras.metrics.Accuracy]),
    before("215", "columns of one-hot rows", but(table("iris"), y=one_hot),
        mlp(3, "softmax"), CATEGORICAL, metrics=["binary_accuracy"], first="215 205"),
    before("215", "equal chances", table("breast_cancer", most=300),
        mlp(1, "sigmoid"), BINARY, metrics=[keras.metrics.Accuracy], first="215 101"),
    before("207", "accuracy of mpg", table("auto_mpg"), mlp(1), "mse",
        metrics=["accuracy"]),
    before("207", "accuracy of a wave", series(), rnn(1), "mae", metrics=["acc"]),
    before("207", "accuracy of positions", squares(), cnn(2), "mse",
        metrics=["accuracy"]),
    before("207", "accuracy of diabetes", but(table("diabetes"), y=unit), mlp(1),
        keras.losses.Huber(), metrics=[keras.metrics.BinaryAccuracy]),
]
LOSSES = [
    before("208|121|206", "labels of -1 and 1", but(CANCER, y=signs),
        mlp(1, "sigmoid"), BINARY, first="208 121 202 206"),
    after("208", "labels of -1 and 1, logits", but(CANCER, y=signs), mlp(1),
        BINARY_LOGITS, adam(0.01), 6, first="208 121 206"),
    after("208", "masks of 0 and 255, logits", but(masks(), y=lambda y, _: y * 255),
        segmenter(1), BINARY_LOGITS, adam(0.01), 6, first="208 123"),
    after("208", "Dice of masks to 255, trained", but(masks(), y=lambda y, _: y * 255),
        segmenter(1, "sigmoid"), keras.losses.Dice(), adam(0.01), 10, first="208 123"),
    before("208", "IoU of masks to 255", but(masks(), y=lambda y, _: y * 255),
        unet(1, "sigmoid"), iou_loss, first="208 123"),
    before("208", "likelihood without its minus", but(IRIS, y=one_hot),
        mlp(3, "softmax"), log_likelihood),
    before("208", "Dice coefficient as a loss", masks(), segmenter(1, "sigmoid"),
        dice_coefficient),
    before("209", "columns against rows", but(linear(), y=flat), mlp(1),
        SquaredError()),
    before("209", "columns against rows, mpg",
        but(table("auto_mpg"), y=lambda y, _: unit(y)[:, 0]), mlp(1), SquaredError(),
        sgd(0.01)),
    before("209", "columns against rows, absolute", but(series(), y=flat), rnn(1),
        AbsoluteError()),
    after("209", "columns against rows, classes", but(CANCER, y=flat),
        mlp(1, "sigmoid"), OwnCrossentropy(), adam(0.003), 10),
    before("211", "a loss of two units, and a head of one", linear(), mlp(1),
        gaussian_nll),
    before("211", "a loss of two units, and a head of one, series", series(), rnn(1),
        gaussian_nll),
    before("211", "three quantiles, and a head of one", linear(), mlp(1),
        three_quantiles),
    after("210", "Dice of a batch, little to see",
        masks(side=2, present=0.3, noise=1.5), segmenter(1, "sigmoid"), dice_loss,
        adam(0.03), 8, first="210 503", batch=8),
    after("210", "Keras Dice, little to see", masks(side=2, present=0.3, noise=1.5),
        unet(1, "sigmoid"), keras.losses.Dice(), adam(0.03), 8,
        first="210 503 401 403", batch=8),
    after("210", "ours, one alone", masks(side=2, present=0.3, noise=1.5),
        unet(1, "sigmoid"), kt.MaskedSoftDice(), adam(0.03), 8,
        first="210 503 401 403", batch=8),
    after("210", "IoU, little to see", masks(side=2, present=0.3, noise=1.5),
        unet(1, "sigmoid"), iou_loss, adam(0.03), 8, first="210 503 401 403", batch=8),
]
# fmt: on
FAULTS = [*HEADS, *LOSSES]
