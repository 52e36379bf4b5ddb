"""Healthy trainings: no finding may be worse than a note.

Each is diagnosed before training, after its first steps, and at the end. Some are fast
and some slow, with good or mediocre optimizers for their task. All should finish well
above the best constant prediction. One that fails to with some seed, as `verified`
determines, is not healthy: its findings are shown but not counted as false alarms.
"""

import keras
import numpy as np
from keras import layers

import keras_trainfix as kt
from benchmarks.diagnosis.cases import (
    BINARY,
    CATEGORICAL,
    SPARSE,
    Case,
    adadelta,
    adagrad,
    adam,
    adamw,
    decaying,
    nadam,
    rmsprop,
    sgd,
)
from benchmarks.diagnosis.data import (
    batches,
    blobs,
    but,
    column,
    curved,
    digits,
    linear,
    masks,
    mnist,
    one_hot,
    pairs,
    rings,
    series,
    squares,
    table,
    tagged,
    texts,
    tissues,
    unit,
)
from benchmarks.diagnosis.nets import (
    cnn,
    conv1d,
    mlp,
    on_frozen,
    residual,
    residual_cnn,
    rnn,
    segmenter,
    transformer,
    two_inputs,
    two_outputs,
    unet,
    words,
)
from keras_trainfix.diagnosis.measure.skill import score_of
from keras_trainfix.diagnosis.snapshot import Snapshot

LEAST_SKILL = 0.2
SPARSE_LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
BINARY_LOGITS = keras.losses.BinaryCrossentropy(from_logits=True)
IGNORING = keras.losses.SparseCategoricalCrossentropy(
    from_logits=True, ignore_class=255
)
MASKED = kt.MaskedCrossentropy(from_logits=True)
DICE_AND_CROSSENTROPY = kt.WeightedSum(
    [kt.MaskedSoftDice(from_logits=True), kt.MaskedCrossentropy(from_logits=True)]
)


def fast_norm():
    """Batch normalization whose averages converge within about ten steps."""
    return layers.BatchNormalization(momentum=0.8)


def is_digit(which):
    """Whether each sample is this digit, as targets."""
    return lambda y, _: (y == which).astype("int64")


def void_borders(y, rng):
    """Integer masks in which a tenth of the pixels are void."""
    return np.where(rng.random(y[..., 0].shape) < 0.1, 255, y[..., 0]).astype("int64")


def class_and_size(y, _):
    """Digits as a dict of two targets."""
    return {"first": y, "second": column(y - 4.5) / 3}


def sparse_counts(y, rng):
    """Poisson counts whose rate depends on the target."""
    return rng.poisson(np.exp(0.7 * unit(y))).astype("float32").reshape(-1, 1)


def half_weights(y, rng):
    """Weights from 0.5 to 1.5."""
    return rng.uniform(0.5, 1.5, len(y)).astype("float32")


def multi_hot(data):
    """Digits with three yes-or-no targets about single pixels."""

    def questions(rng):
        old = data(rng)
        y = np.stack([old.x[:, i] > 0.5 for i in (10, 20, 30)], 1)
        return old._replace(y=y.astype("float32"))

    return questions


def copied(data, y_shape=None):
    """The inputs as targets."""

    def same(rng):
        x = data(rng).x
        return data(rng)._replace(x=x, y=x.reshape(-1, *y_shape) if y_shape else x)

    return same


IRIS, WINE, CANCER = table("iris"), table("wine"), table("breast_cancer", most=300)
DIABETES = but(table("diabetes"), y=unit)
MPG, BOSTON = table("auto_mpg"), table("boston_housing")
IMAGES = digits((8, 8, 1))
ROWS = digits((8, 8))
TENTH = sgd(0.05, momentum=0.9)

# The formatter would put every argument on its own line.
# fmt: off
TABLES = [
    Case("iris", IRIS, mlp(3, "softmax"), SPARSE, adam(0.01), 20),
    Case("iris in centimetres", table("iris", scaled=False), mlp(3, "softmax", (32,)),
        SPARSE, adam(0.01), 40),
    Case("iris one-hot tanh", but(IRIS, y=one_hot),
        mlp(3, "softmax", activation="tanh"), CATEGORICAL, TENTH, 20),
    Case("iris logits", IRIS, mlp(3), SPARSE_LOGITS, rmsprop(0.003), 25),
    Case("iris slow SGD", IRIS, mlp(3, "softmax", (16,)), SPARSE, sgd(0.01), 30),
    Case("iris sigmoid hidden", IRIS, mlp(3, "softmax", (24,), "sigmoid"), SPARSE,
        adam(0.01), 50),
    Case("iris Adadelta 1.0", IRIS, mlp(3, "softmax", (32,)), SPARSE, adadelta(1.0),
        40),
    Case("iris mse on one-hot sigmoid", but(IRIS, y=is_digit(0)),
        mlp(1, "sigmoid", (16,)), BINARY, adagrad(0.05), 30),
    Case("wine batch norm", WINE, mlp(3, "softmax", norm=fast_norm), SPARSE,
        adam(0.003), 20),
    Case("wine layer norm", WINE, mlp(3, "softmax", norm=layers.LayerNormalization),
        SPARSE, adam(0.003), 15),
    Case("wine dropout", but(WINE, y=one_hot),
        mlp(3, "softmax", (64, 64), dropout=0.4), CATEGORICAL, adam(0.003), 20),
    Case("wine raw through normalization", table("wine", scaled=False),
        mlp(3, "softmax", (32,), before=[layers.BatchNormalization]), SPARSE,
        adam(0.01), 40),
    Case("wine label smoothing", but(WINE, y=one_hot), mlp(3, "softmax"),
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1), adamw(0.003), 20),
    Case("cancer", CANCER, mlp(1, "sigmoid"), BINARY, adam(0.002), 12),
    Case("cancer logits", but(CANCER, y=column), mlp(1), BINARY_LOGITS, adam(0.002),
        12),
    Case("cancer two softmax units", CANCER, mlp(2, "softmax"), SPARSE, sgd(0.01), 20),
    Case("cancer deep tanh", but(CANCER, y=column),
        mlp(1, "sigmoid", (24,) * 5, "tanh"), BINARY, adam(5e-4), 10),
    Case("cancer small rate", CANCER, mlp(1, "sigmoid", (32, 32)), BINARY, adam(1e-4),
        40),
    Case("cancer hinge", but(CANCER, y=lambda y, _: column(2 * y - 1)), mlp(1, "tanh"),
        "hinge", adam(0.003), 15),
    Case("cancer class weights", CANCER, mlp(1, "sigmoid"), BINARY, adam(0.003), 12,
        fit={"class_weight": {0: 1.3, 1: 0.8}}),
    Case("cancer l2", CANCER, mlp(1, "sigmoid", kernel_regularizer="l2"), BINARY,
        adam(0.003), 20),
    Case("cancer focal", but(CANCER, y=column), mlp(1, "sigmoid"),
        keras.losses.BinaryFocalCrossentropy(), adam(0.003), 15),
    Case("diabetes", DIABETES, mlp(1), "mse", adam(0.002), 15),
    Case("diabetes mae", DIABETES, mlp(1), "mae", adam(0.003), 15),
    Case("diabetes huber weights", but(DIABETES, sample_weight=half_weights), mlp(1),
        keras.losses.Huber(), TENTH, 10),
    Case("diabetes counts", but(table("diabetes"), y=sparse_counts),
        mlp(1, "exponential", (32,)), "poisson", adam(0.003), 15),
    Case("diabetes sigmoid hidden", DIABETES, mlp(1, None, (32,), "sigmoid"), "mse",
        adam(0.01), 30),
    Case("linnerud", but(table("linnerud"), y=unit), mlp(3, None, (16,)), "mse",
        adam(0.01), 60, 8),
    Case("auto mpg as it is", MPG, mlp(1, None, (64, 64)), "mse", adam(0.003), 30,
        metrics=["mae"]),
    Case("auto mpg scaled", but(MPG, y=unit), mlp(1), "mse", rmsprop(0.001), 20),
    Case("boston as it is", BOSTON, mlp(1, None, (64, 64)), "mse", rmsprop(0.003), 30,
        metrics=["mae"]),
    Case("boston log", but(BOSTON, y=lambda y, _: np.log(y)), mlp(1, None, (48,)),
        "mse", adam(0.01), 30),
    Case("boston layer norm", but(BOSTON, y=unit),
        mlp(1, norm=layers.LayerNormalization), "log_cosh", adam(0.003), 20),
]
MADE_UP = [
    Case("linear", linear(), mlp(1, None, ()), "mse", sgd(0.01), 30),
    Case("linear many outputs", linear(outputs=4), mlp(4), "mse", adam(0.003), 20),
    Case("noisy linear", linear(400, 6, noise=1.5), mlp(1, None, (16,)), "mse",
        adam(0.003), 15),
    Case("curved", curved(), mlp(1, None, (64, 64)), "mse", adam(0.005), 30),
    Case("curved selu", curved(),
        mlp(1, None, (32, 32), "selu", kernel_initializer="lecun_normal"), "mse",
        nadam(0.003), 25),
    Case("curved residual", curved(), residual(1), "mse", adam(0.003), 25),
    Case("curved sigmoid range", but(curved(), y=lambda y, _: 1 / (1 + np.exp(-y))),
        mlp(1, "sigmoid"), "mse", adam(0.005), 25),
    Case("rings", rings(), mlp(1, "sigmoid", (32, 32)), BINARY, adam(0.01), 25),
    Case("rings tanh SGD", rings(), mlp(1, "sigmoid", (32,), "tanh"), BINARY,
        sgd(0.3, momentum=0.9), 30),
    Case("blobs ten classes", blobs(500, 16, 10, 4.0), mlp(10, "softmax"), SPARSE,
        adam(0.003), 12),
    Case("blobs that overlap", blobs(400, 6, 3, 1.0), mlp(3, "softmax", (16,)), SPARSE,
        adam(0.003), 12),
    Case("blobs out of balance", blobs(500, 6, 3, 3.0, [0.8, 0.1, 0.1]),
        mlp(3, "softmax"), SPARSE, adam(0.003), 15),
    Case("blobs one of twelve", blobs(500, 6, 2, 3.0, [0.92, 0.08]), mlp(1, "sigmoid"),
        BINARY, adam(0.003), 15),
    Case("blobs as a PyDataset", batches(blobs(320)), mlp(3, "softmax"), SPARSE,
        adam(0.003), 10),
    Case("blobs temperature", blobs(classes=4),
        mlp(4, "softmax", kernel_initializer="he_normal"), SPARSE, decaying(0.01), 10),
    Case("pairs", pairs(), two_inputs(1, "sigmoid"), BINARY, adam(0.005), 30),
]
DIGITS = [
    Case("digits dense", digits(), mlp(10, "softmax"), SPARSE, adam(0.003), 10),
    Case("digits 0 to 255 rescaled", but(digits(), x=lambda x, _: x * 255),
        mlp(10, "softmax", before=[lambda: layers.Rescaling(1 / 255)]), SPARSE,
        adam(0.003), 8),
    Case("digits 0 to 16", but(digits(), x=lambda x, _: x * 16),
        mlp(10, "softmax", (64,)), SPARSE, adam(0.001), 10),
    Case("digits SGD", digits(), mlp(10, "softmax", (64,)), SPARSE, sgd(0.01), 25),
    Case("digits Adagrad", digits(), mlp(10, "softmax", (64,)), SPARSE, adagrad(0.01),
        15),
    Case("digits leaky", but(digits(), y=one_hot),
        mlp(10, "softmax", (48, 48), "leaky_relu"), CATEGORICAL, adam(0.003), 8),
    Case("digits deep ReLU", digits(),
        mlp(10, "softmax", (32,) * 6, kernel_initializer="he_normal"), SPARSE,
        adam(0.002), 12),
    Case("digits is it 9", but(digits(), y=is_digit(9)), mlp(1, "sigmoid"), BINARY,
        adam(0.003), 15),
    Case("digits even", but(digits(), y=lambda y, _: column(y % 2)), mlp(1, "sigmoid"),
        BINARY, adamw(0.003), 10),
    Case("digits three questions", multi_hot(digits()), mlp(3, "sigmoid"), BINARY,
        adam(0.003), 10),
    Case("digits value as a number", but(digits(), y=lambda y, _: column(y)),
        mlp(1, None, (64,)), "mse", adam(0.005), 15),
    Case("digits two heads", but(digits(), y=class_and_size),
        two_outputs((10, "softmax")), {"first": SPARSE, "second": "mse"}, adam(0.005),
        15),
    Case("digits autoencoder", copied(digits()), mlp(64, "sigmoid", (32, 16, 32)),
        "mse", adam(0.003), 15),
    Case("digits autoencoder crossentropy", copied(digits()),
        mlp(64, "sigmoid", (32,)), BINARY, adam(0.003), 12),
    Case("digits cnn", IMAGES, cnn(10, "softmax"), SPARSE, adam(0.003), 6),
    Case("digits cnn dropout", IMAGES, cnn(10, "softmax", dropout=0.3), SPARSE,
        rmsprop(0.002), 8),
    Case("digits cnn logits batch norm", IMAGES, cnn(10, norm=fast_norm),
        SPARSE_LOGITS, adam(0.003), 6),
    Case("digits cnn pooled", but(IMAGES, y=one_hot),
        cnn(10, "softmax", (16, 32), pool=layers.GlobalAveragePooling2D), CATEGORICAL,
        adam(0.01), 12),
    Case("digits cnn tanh", IMAGES, cnn(10, "softmax", activation="tanh"), SPARSE,
        TENTH, 6),
    Case("digits residual cnn", IMAGES, residual_cnn(10, "softmax"), SPARSE,
        adam(0.003), 6),
    Case("digits frozen body", but(IMAGES, y=lambda y, _: y % 2),
        on_frozen(2, "softmax", IMAGES), SPARSE, adam(0.005), 8),
    Case("digits LSTM", ROWS, rnn(10, "softmax"), SPARSE, adam(0.01), 10),
    Case("digits GRU", but(ROWS, y=one_hot), rnn(10, "softmax", layers.GRU),
        CATEGORICAL, adam(0.01), 10),
    Case("digits both ways", ROWS, rnn(10, "softmax", both=True), SPARSE, adam(0.01),
        8),
    Case("digits transformer", ROWS, transformer(10, "softmax"), SPARSE, adam(0.005),
        12),
    Case("mnist cnn", mnist(), cnn(10, "softmax", (8, 16)), SPARSE, adam(0.002), 4),
    Case("mnist dense small rate", mnist(), mlp(10, "softmax", (64,)), SPARSE,
        adam(2e-4), 8),
]
SERIES = [
    Case("wave LSTM", series(), rnn(1), "mse", adam(0.005), 8),
    Case("wave SimpleRNN", series(), rnn(1, None, layers.SimpleRNN), "mse",
        adam(0.003), 10),
    Case("wave two GRU", series(), rnn(1, None, layers.GRU, deep=True), "mae",
        adam(0.005), 8),
    Case("wave convolutions", series(), conv1d(1), "mse", adam(0.003), 10),
    Case("wave dense tanh head", but(series(noise=0.02), y=lambda y, _: y.clip(-1, 1)),
        mlp(1, "tanh"), "mse", TENTH, 10),
    Case("a class a step", tagged(),
        rnn(1, "sigmoid", layers.GRU, return_sequences=True), BINARY, adam(0.01), 12),
    Case("texts mean", texts(), words(1, "sigmoid"), BINARY, adam(0.01), 10),
    Case("texts LSTM", texts(), words(1, "sigmoid", body=layers.LSTM), BINARY,
        adam(0.01), 10),
    Case("texts convolutions", texts(classes=3), words(3, "softmax", body="conv"),
        SPARSE, adam(0.01), 8),
    Case("texts transformer", texts(classes=3), transformer(3, "softmax", rows=60),
        SPARSE, adam(0.005), 8),
]
PICTURES = [
    Case("where is the square", squares(), cnn(2), "mse", adam(0.003), 15),
    Case("masks", masks(), segmenter(1, "sigmoid"), BINARY, adam(0.01), 10, 8),
    Case("masks logits", masks(), segmenter(1), BINARY_LOGITS, adam(0.01), 10, 8),
    Case("masks Dice", masks(), unet(1, "sigmoid"), kt.MaskedSoftDice(), adam(0.003),
        15, 8),
    Case("masks Keras Dice", masks(), segmenter(1, "sigmoid"), keras.losses.Dice(),
        adam(0.01), 12, 8),
    Case("masks void", but(masks(), y=void_borders), segmenter(2), MASKED, adam(0.01),
        10, 8),
    Case("masks void Keras", but(masks(), y=void_borders), unet(2), IGNORING,
        adam(0.003), 10, 8),
    Case("masks rare both", masks(side=4), unet(1), DICE_AND_CROSSENTROPY, adam(0.005),
        15, 8),
    Case("masks half empty", masks(present=0.5), unet(1, "sigmoid"), BINARY,
        adam(0.005), 12, 8),
    Case("masks Tversky", masks(), unet(1, "sigmoid"), kt.MaskedTversky(), adam(0.003),
        15, 8),
    Case("tissues U-Net", tissues(), unet(4), MASKED, adam(0.005), 12, 4),
    Case("tissues U-Net batch norm both", tissues(), unet(4, norm=fast_norm),
        DICE_AND_CROSSENTROPY, adam(0.005), 12, 4),
    Case("tissues denoised", copied(but(tissues(), x=lambda x, _: x)), segmenter(1),
        "mse", adam(0.003), 12, 4),
]
# fmt: on
CASES = [*TABLES, *MADE_UP, *DIGITS, *SERIES, *PICTURES]


def verified(model, data):
    """The lowest skill of all outputs, and whether it is high enough to be healthy."""
    looked = Snapshot(model, data.x, data.y, data.sample_weight)
    skills = [score_of(probe) for probe in looked.views()]
    known = [seen.value for seen in skills if seen is not None]
    least = min(known, default=float("nan"))
    return least, bool(known) and least > LEAST_SKILL
