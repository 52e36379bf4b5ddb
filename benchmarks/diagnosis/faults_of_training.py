"""Faults of layers and of optimization, and pairs of faults."""

import keras
import numpy as np
from keras import initializers, layers, regularizers
from keras.optimizers import schedules

from benchmarks.diagnosis.cases import (
    BINARY,
    CATEGORICAL,
    SPARSE,
    adadelta,
    adam,
    rmsprop,
    sgd,
)
from benchmarks.diagnosis.data import (
    blobs,
    but,
    column,
    curved,
    digits,
    masks,
    mnist,
    one_hot,
    rings,
    series,
    source,
    squares,
    table,
    texts,
    tissues,
    unit,
)
from benchmarks.diagnosis.faults import after, before
from benchmarks.diagnosis.faults_of_data import (
    sorted_by_class,
    spoiled,
    times,
)
from benchmarks.diagnosis.nets import (
    cnn,
    mlp,
    net,
    rnn,
    segmenter,
    unet,
    width,
    words,
)

SPARSE_LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
IMAGES = digits((8, 8, 1))
IRIS, CANCER = table("iris"), table("breast_cancer", most=300)
BOSTON = table("boston_housing")
DIABETES = but(table("diabetes"), y=unit)
MPG = but(table("auto_mpg"), y=unit)


@source
def lasting(rng, data, epochs=10):
    """Data with the number of epochs of `fit`."""
    return data(rng)._replace(fit={"epochs": epochs})


def quadrant(y, _):
    """The quarter of the image that a position is in, as a class."""
    return (2 * (y[:, 0] > 0) + (y[:, 1] > 0)).astype("int64")


def few(data, samples):
    """The first samples of a source."""

    def change(rng):
        old = data(rng)
        return old._replace(x=old.x[:samples], y=old.y[:samples])

    return change


@net
def on_base(x, rng, units, head=None, blocks=1, dropout=0):
    """A head on a body with batch normalization, called with `training=False`."""
    body = [keras.Input(x.shape[1:])]
    for _ in range(blocks):
        body += [layers.Conv2D(width(rng) // 2, 3, padding="same")]
        body += [layers.BatchNormalization(), layers.ReLU()]
    x = keras.Sequential(body)(x, training=False)
    x = layers.Flatten()(x)
    x = layers.Dropout(dropout)(x) if dropout else x
    return layers.Dense(units, activation=head)(x)


@net
def root_of(x, rng, units, head=None, step=layers.Dense, function=keras.ops.sqrt):
    """A net that takes the root or logarithm of possibly negative numbers."""
    x = layers.Lambda(function)(step(width(rng))(x))
    return layers.Dense(units, activation=head)(x)


def frozen(model, _):
    """Freezes the model."""
    model.trainable = False


def layers_frozen(model, _):
    """Freezes every layer individually."""
    for layer in model.layers:
        layer.trainable = False


def dead_frozen_body(model, _):
    """Freezes all but the head; the last frozen layer outputs 0."""
    for layer in model.layers[:-1]:
        layer.trainable = False
    hidden = [layer for layer in model.layers[:-1] if layer.weights][-1]
    hidden.bias.assign(np.full(hidden.bias.shape, -100.0))


def freeze_later(model, data):
    """Freezes the first layers after training, without `compile`."""
    model.fit(data.x, data.y, epochs=1, verbose=0)
    for layer in model.layers[: len(model.layers) // 2 + 1]:
        layer.trainable = False


def thaw_later(model, data):
    """Unfreezes layers after training, without `compile`."""
    model.fit(data.x, data.y, epochs=1, verbose=0)
    for layer in model.layers:
        layer.trainable = True


def body_frozen(model, _):
    """Freezes all but the head."""
    for layer in model.layers[:-1]:
        layer.trainable = False


def biases(value, which=0):
    """Sets all biases of a hidden layer to `value`."""

    def change(model, _):
        hidden = [layer for layer in model.layers if getattr(layer, "use_bias", False)]
        hidden[which].bias.assign(np.full(hidden[which].bias.shape, value))

    return change


def weights_times(factor, which=0):
    """Multiplies the kernel of a layer by `factor`."""

    def change(model, _):
        hidden = [layer for layer in model.layers if layer.weights][which]
        hidden.kernel.assign(hidden.kernel * factor)

    return change


# The formatter would put every argument on its own line.
# fmt: off
NORMALIZATION = [
    after("301", "few steps, momentum of .99", IMAGES,
        cnn(10, "softmax", (16, 24, 32), norm=layers.BatchNormalization), SPARSE,
        adam(0.01), 4, batch=128),
    after("301", "few steps, dense", but(table("wine"), x=times(5, 20)),
        mlp(3, "softmax", 3, norm=layers.BatchNormalization), SPARSE, adam(0.01), 8,
        first="301 101", batch=64),
    after("301", "few steps, masks", but(masks(), x=times(2, 6)),
        unet(1, "sigmoid", norm=layers.BatchNormalization), BINARY, adam(0.01), 8,
        first="301 101", batch=32),
    after("301", "momentum of .999", but(IMAGES, y=one_hot), cnn(10, "softmax",
        (12, 24), norm=lambda: layers.BatchNormalization(momentum=0.999)), CATEGORICAL,
        adam(0.005), 6, batch=64),
    before("308", "an average of all weights", lasting(IMAGES), cnn(10, "softmax"),
        SPARSE, adam(0.005, use_ema=True, ema_momentum=0.9999)),
    before("308", "an average that is taken every hundred steps",
        lasting(but(BOSTON, y=unit), 20), mlp(1, None, 2), "mse",
        adam(0.005, use_ema=True, ema_momentum=0.9995, ema_overwrite_frequency=100)),
    before("308", "statistics of a raw table", lasting(table("wine", scaled=False), 8),
        mlp(3, "softmax", 2, activation=None, norm=layers.BatchNormalization), SPARSE,
        adam(0.01)),
    before("302", "fine-tuning with training=False", IMAGES, on_base(10, "softmax"),
        SPARSE),
    before("302", "fine-tuning, two blocks", mnist(128), on_base(10, "softmax", 2),
        SPARSE, adam(1e-4)),
    before("302", "fine-tuning, dropout", but(IMAGES, y=lambda y, _: y % 2),
        on_base(1, "sigmoid", 2, 0.3), BINARY),
    before("303", "a frozen model", IRIS, mlp(3, "softmax"), SPARSE, prepare=frozen),
    before("303", "all layers frozen", IMAGES, cnn(10, "softmax"), SPARSE,
        prepare=layers_frozen),
    before("303", "a dead frozen body", CANCER, mlp(1, "sigmoid", 2), BINARY,
        prepare=dead_frozen_body),
    before("303", "a frozen LSTM", series(), rnn(1), "mse", prepare=layers_frozen),
    before("304", "frozen after a training", DIABETES, mlp(1, None, 3), "mse",
        change=freeze_later),
    before("304", "thawed after a training", IMAGES, cnn(10, "softmax"), SPARSE,
        prepare=body_frozen, change=thaw_later),
    before("304", "thawed dense", CANCER, mlp(1, "sigmoid", 2), BINARY,
        prepare=body_frozen, change=thaw_later),
]
RATES = [
    before("401", "Adam of 1", IMAGES, cnn(10, "softmax"), SPARSE, adam(1.0)),
    before("401", "SGD of 10", DIABETES, mlp(1, None, 2), "mse", sgd(10.0)),
    before("401", "SGD of 1 with momentum", MPG, mlp(1, None, 3), "mse",
        sgd(1.0, momentum=0.9)),
    before("401", "RMSprop of 1", CANCER, mlp(1, "sigmoid", 3), BINARY, rmsprop(1.0)),
    after("401", "Adam of 1, digits, trained", digits(), mlp(10, "softmax", 3), SPARSE,
        adam(1.0), 4, first="401 403 409"),
    after("401", "Adam of .5, a number, trained", curved(), mlp(1, None, 4), "mse",
        adam(0.5), 6, first="401 403 409"),
    after("401", "SGD of 5, trained", DIABETES, mlp(1, None, 2), "mse", sgd(5.0), 3,
        first="401 403 409"),
    before("402", "SGD of 1e-7", IRIS, mlp(3, "softmax"), SPARSE, sgd(1e-7)),
    before("402", "Adam of 1e-8", IMAGES, cnn(10, "softmax"), SPARSE, adam(1e-8)),
    before("402", "a schedule of epochs", IRIS, mlp(3, "softmax"), SPARSE,
        lambda: keras.optimizers.Adam(schedules.ExponentialDecay(0.01, 1, 0.5))),
    after("402", "SGD of 1e-6, trained", but(BOSTON, y=unit), mlp(1, None, 2), "mse",
        sgd(1e-6), 10),
    after("402", "Adam of 1e-7, trained", digits(), mlp(10, "softmax", 2), SPARSE,
        adam(1e-7), 5),
    after("402", "Adadelta of 1e-5", DIABETES, mlp(1, None, 2), "mse", adadelta(1e-5),
        10),
    before("410|402", "SGD of 1e-5, mpg", MPG, mlp(1, None, (16,)), "mse", sgd(1e-5)),
    after("410", "two steps", few(IMAGES, 64), cnn(10, "softmax"), SPARSE, adam(1e-3),
        2, batch=64),
    after("410", "an epoch of large batches", digits(), mlp(10, "softmax", 2), SPARSE,
        adam(1e-4), 2, first="410 402", batch=256),
    after("410", "a few steps, a number", MPG, mlp(1, None, (16,)), "mse", adam(5e-4),
        3, first="410 402", batch=128),
    after("410|402", "a few steps, texts", texts(), words(1, "sigmoid"), BINARY,
        adam(1e-4), 2, first="410 402", batch=64),
]
LAYERS = [
    before("403", "biases of -50", blobs(), mlp(3, "softmax", 2), SPARSE,
        change=biases(-50.0)),
    before("403", "dead convolutions", IMAGES, cnn(10, "softmax"), SPARSE,
        change=biases(-60.0)),
    after("403", "dead, trained", but(BOSTON, y=unit), mlp(1, None, 3), "mse", adam(),
        5, change=biases(-80.0, 1)),
    after("403", "killed by the rate", but(squares(), x=times(5)),
        cnn(2, None, (16, 32), hidden=32), "mse", adam(0.3), 6, first="403 401"),
    before("404", "tanh at its bounds", blobs(), mlp(3, "softmax", 2, "tanh"), SPARSE,
        change=weights_times(60.0), first="404 407 406"),
    before("404", "sigmoids on pixels to 255", but(digits(), x=times(255)),
        mlp(10, "softmax", 2, "sigmoid"), SPARSE, first="404 101"),
    before("404", "tanh on a raw table", table("wine", scaled=False),
        mlp(3, "softmax", 1, "tanh"), SPARSE, first="404 101"),
    before("404", "large random weights", CANCER, mlp(1, "sigmoid", 2, "tanh",
        kernel_initializer=initializers.RandomNormal(stddev=10)), BINARY,
        first="404 407 406"),
    before("405", "twenty sigmoids", digits(),
        mlp(10, "softmax", (32,) * 20, "sigmoid"), SPARSE),
    before("405", "ten sigmoids", but(BOSTON, y=unit),
        mlp(1, None, (24,) * 12, "sigmoid"), "mse"),
    before("405", "tanh with tiny weights", blobs(), mlp(3, "softmax", (32,) * 8,
        "tanh", kernel_initializer=initializers.RandomNormal(stddev=0.01)), SPARSE,
        first="405 407"),
    after("405", "twelve sigmoids, trained", CANCER,
        mlp(1, "sigmoid", (32,) * 12, "sigmoid"), BINARY, adam(), 10,
        first="405 501 502"),
    before("406", "standard normal weights", digits(), mlp(10, "softmax", (64,) * 6,
        kernel_initializer=initializers.RandomNormal(stddev=1.0)), SPARSE,
        first="406 407"),
    before("406", "wide weights, a number", DIABETES, mlp(1, None, (48,) * 8,
        kernel_initializer=initializers.RandomUniform(-1, 1)), "mse", first="406 407"),
    before("406", "large convolutions", IMAGES, cnn(10, "softmax", (16, 24, 32, 32),
        kernel_initializer=initializers.RandomNormal(stddev=1.0)), SPARSE,
        first="406 407"),
    before("407", "zeros", IRIS, mlp(3, "softmax", 2, kernel_initializer="zeros"),
        SPARSE),
    before("407", "ones", but(BOSTON, y=unit),
        mlp(1, None, 1, kernel_initializer="ones"), "mse"),
    before("407", "a constant in convolutions", IMAGES,
        cnn(10, "softmax", kernel_initializer=initializers.Constant(0.05)), SPARSE),
    after("407", "zeros, trained", rings(),
        mlp(1, "sigmoid", 3, kernel_initializer="zeros"), BINARY, adam(), 8),
    after("408", "l2 of 1", but(BOSTON, y=unit),
        mlp(1, None, 3, kernel_regularizer=regularizers.L2(1.0)), "mse", adam(0.003),
        25),
    after("408", "l2 of 1 on convolutions", IMAGES,
        cnn(10, "softmax", kernel_regularizer=regularizers.L2(1.0)), SPARSE,
        adam(0.003), 12),
    before("408", "l2 of .15 on all layers", digits(),
        mlp(10, "softmax", 3, kernel_regularizer=regularizers.L2(0.15)), SPARSE),
    after("408", "l1 of .1", curved(),
        mlp(1, None, 2, kernel_regularizer=regularizers.L1(0.1)), "mse", adam(0.003),
        20),
    after("408", "dropout of .97", digits(),
        mlp(10, "softmax", (32, 32, 32), dropout=0.97), SPARSE, adam(), 12),
    after("408", "dropout of .95, a number", MPG,
        mlp(1, None, (32, 32, 32), dropout=0.95), "mse", adam(), 15),
    before("409", "the root of a negative number", CANCER, root_of(1, "sigmoid"),
        BINARY),
    before("409", "the logarithm of a negative number", DIABETES,
        root_of(1, function=keras.ops.log), "mse"),
    after("409", "diverged", but(BOSTON, y=times(1e3)), mlp(1, None, 3), "mse",
        sgd(0.5), 3, first="409 401 111"),
    after("409", "diverged from raw inputs", table("boston_housing", scaled=False),
        mlp(1, None, 2), "mse", sgd(0.01), 3, first="409 401 101"),
    before("411", "positions averaged away", squares(),
        cnn(2, pool=layers.GlobalAveragePooling2D, halve=False), "mse"),
    before("411", "positions, the largest kept", squares(samples=128, size=24),
        cnn(2, pool=layers.GlobalMaxPooling2D, hidden=32, halve=False), "mse"),
    before("411", "quadrants averaged away", but(squares(), y=quadrant),
        cnn(4, "softmax", pool=layers.GlobalAveragePooling2D, halve=False), SPARSE),
    before("411", "dropout on the answers", IRIS,
        mlp(3, "softmax", after=[lambda: layers.Dropout(0.5)]), SPARSE),
    before("411", "one unit in between", digits(), mlp(10, "softmax", (64, 1)), SPARSE),
]
COLLAPSED = [
    after("501", "ReLU below all targets", but(curved(), y=lambda y, _: y - 10),
        mlp(1, "relu"), "mse", adam(0.01), 10, first="202"),
    after("501", "dead, one answer", DIABETES, mlp(1, None, 2), "mse", adam(), 5,
        change=biases(-90.0, -2), first="403"),
    after("501", "positions, one answer", but(squares(), x=times(20)),
        cnn(2, None, (16, 24), hidden=48), "mse", adam(0.5), 8, first="401 403 101"),
    after("502", "dead, one class", blobs(), mlp(3, "softmax", 2), SPARSE, adam(), 6,
        change=biases(-70.0), first="403"),
    after("502", "zeros, one class", digits(),
        mlp(10, "softmax", 3, kernel_initializer="zeros"), SPARSE, adam(), 6,
        first="407"),
    after("502", "rate, one class", IMAGES, cnn(10, "softmax", hidden=32), SPARSE,
        adam(1.0), 6, first="401 403"),
    after("503", "dead, all background", masks(), segmenter(1, "sigmoid"), BINARY,
        adam(), 12, change=biases(-60.0), first="403", batch=8),
    after("503", "softmax on a channel, all foreground", masks(),
        segmenter(1, "softmax"), "mse", adam(), 8, first="201", batch=8),
    after("503", "zeros, masks", masks(),
        segmenter(1, "sigmoid", (8, 8), kernel_initializer="zeros"), BINARY, adam(), 8,
        first="407 403", batch=8),
]
TWO = [
    before("201 101", "softmax on one unit, raw table",
        table("breast_cancer", scaled=False), mlp(1, "softmax"), BINARY),
    before("202 101", "ReLU, negative targets, raw table",
        but(table("diabetes"), x=times(500), y=unit), mlp(1, "relu"), "mse"),
    before("101 111", "prices and raw table",
        but(table("boston_housing", scaled=False), y=times(1e4)), mlp(1), "mse"),
    before("102 206", "gaps and one-hot into sparse",
        but(IRIS, x=spoiled(np.nan), y=one_hot), mlp(3, "softmax"), SPARSE),
    before("128 201", "embedding of reals, softmax on one unit", but(CANCER, y=column),
        words(1, "softmax"), BINARY),
    before("303 205", "frozen, sigmoids", but(digits(), y=one_hot), mlp(10, "sigmoid"),
        CATEGORICAL, prepare=frozen),
    before("123 101", "masks and pixels to 255",
        but(masks(), x=times(255), y=times(255)), unet(1, "sigmoid"), BINARY),
    before("407 207", "zeros, accuracy of mpg", MPG,
        mlp(1, None, 2, kernel_initializer="zeros"), "mse", metrics=["accuracy"]),
    before("122 204", "void, softmax twice", tissues(), unet(4, "softmax"),
        SPARSE_LOGITS, first="122 121 204"),
    before("121|205 127", "in order, labels from 1",
        but(sorted_by_class(blobs()), y=lambda y, _: y + 1), mlp(3, "softmax"), SPARSE),
    before("411 205", "dropout last, sigmoids", but(IRIS, y=one_hot),
        mlp(3, "sigmoid", after=[lambda: layers.Dropout(0.4)]), CATEGORICAL),
    before("203 401", "no activation, rate of 1", but(CANCER, y=column),
        mlp(1, None, 2), BINARY, adam(1.0)),
    after("408 201", "l2 of 1, softmax on one unit", MPG,
        mlp(1, "softmax", 2, kernel_regularizer=regularizers.L2(1.0)), "mse",
        adam(0.01), 10),
    after("101 404", "raw table, sigmoids", table("wine", scaled=False),
        mlp(3, "softmax", 2, "sigmoid"), SPARSE, adam(), 8),
]
# fmt: on
FAULTS = [*NORMALIZATION, *RATES, *LAYERS, *COLLAPSED, *TWO]
