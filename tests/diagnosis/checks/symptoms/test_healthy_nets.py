"""Nets that learn, or are only early, have no finding above a note."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.diagnosis.registry import CHECKS
from tests.diagnosis.checks.symptoms.cases import (
    IDS,
    IMAGES,
    MASKS,
    ON,
    OURS,
    X,
    Y,
    findings,
    fit,
    sequential,
)
from tests.diagnosis.nets import inputs

NEED_TRIAL = ("KTF401", "KTF402", "KTF405", "KTF406", "KTF408", "KTF410")
ABOUT_THE_MODEL = sorted(
    code
    for code, check in CHECKS.items()
    if check.scope == "model" and check.code[3] in "34" and code not in NEED_TRIAL
)
ALL = [*OURS, *ABOUT_THE_MODEL]
SPARSE = "sparse_categorical_crossentropy"
RARE = (X[:, :1] > 1.3).astype("int32")
SERIES = inputs(256, 20).reshape(256, 10, 2)
SUMS = SERIES[:, -3:, :1].sum(1)
WEAK = (X[:, :1] + 2 * np.random.default_rng(3).normal(size=(256, 1)) > 1.5).astype(int)


def mlp(units=1, activation=None, loss="mse", hidden="relu", lr=0.01):
    return sequential(
        layers.Dense(32, hidden),
        layers.Dense(16, hidden),
        layers.Dense(units, activation),
        loss=loss,
        lr=lr,
    )


def cnn(norm=False):
    parts = []
    for filters in (8, 16):
        parts += [layers.Conv2D(filters, 3, padding="same", use_bias=not norm)]
        parts += [layers.BatchNormalization(momentum=0.8)] if norm else []
        parts += [layers.Activation("relu"), layers.MaxPooling2D()]
    parts += [layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")]
    return sequential(*parts, x=IMAGES, loss=SPARSE)


def unet(rate=0.01):
    image = keras.Input((16, 16, 1))
    high = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    low = layers.Conv2D(8, 3, padding="same", activation="relu")(
        layers.MaxPooling2D()(high)
    )
    both = layers.concatenate([high, layers.UpSampling2D()(low)])
    model = keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(both))
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return model


def recurrent(kind):
    return sequential(kind(16), layers.Dense(1), x=SERIES)


BRIGHT = IMAGES.copy()
BRIGHT[::2] += 1
IS_BRIGHT = (np.arange(24) % 2 == 0).astype(int)

HEALTHY = {
    "fresh mlp": (lambda: mlp(), X, Y, 0),
    "fresh cnn": (lambda: cnn(), BRIGHT, IS_BRIGHT, 0),
    "fresh batch norm": (lambda: cnn(True), BRIGHT, IS_BRIGHT, 0),
    "fresh lstm": (lambda: recurrent(layers.LSTM), SERIES, SUMS, 0),
    "fresh unet": (lambda: unet(), IMAGES, MASKS, 0),
    "positive inputs": (lambda: mlp(3, "softmax", SPARSE), np.abs(X), IDS, 0),
    "regression": (lambda: mlp(), X, Y, 200),
    "leaky": (lambda: mlp(hidden="leaky_relu"), X, Y, 200),
    "tanh": (lambda: mlp(hidden="tanh"), X, Y, 200),
    "sigmoid": (lambda: mlp(1, "sigmoid", "binary_crossentropy"), X, ON, 200),
    "all sigmoid": (
        lambda: mlp(1, "sigmoid", "binary_crossentropy", "sigmoid", 0.03),
        X,
        ON,
        300,
    ),
    "softmax": (lambda: mlp(3, "softmax", SPARSE), X, IDS, 200),
    "lstm": (lambda: recurrent(layers.LSTM), SERIES, SUMS, 200),
    "gru": (lambda: recurrent(layers.GRU), SERIES, SUMS, 30),
    "trained cnn": (lambda: cnn(), BRIGHT, IS_BRIGHT, 60),
    "trained batch norm": (lambda: cnn(True), BRIGHT, IS_BRIGHT, 60),
    "unet": (lambda: unet(), IMAGES, MASKS, 60),
    "early unet": (lambda: unet(1e-3), IMAGES, MASKS, 20),
    "early regression": (lambda: mlp(lr=1e-4), X, Y, 32),
    "early large targets": (lambda: mlp(lr=1e-3), X, 50 * Y, 48),
    "early softmax": (lambda: mlp(3, "softmax", SPARSE, lr=1e-4), X, IDS, 32),
    "early sigmoid": (
        lambda: mlp(1, "sigmoid", "binary_crossentropy", "sigmoid", 1e-3),
        X,
        ON,
        48,
    ),
    "early rare": (lambda: mlp(1, "sigmoid", "binary_crossentropy"), X, RARE, 32),
    "rare": (lambda: mlp(1, "sigmoid", "binary_crossentropy"), X, RARE, 200),
    "weak": (
        lambda: mlp(1, "sigmoid", "binary_crossentropy", lr=1e-3),
        X,
        WEAK,
        240,
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_net_has_no_finding(name):
    make, x, y, steps = HEALTHY[name]
    model = make()
    if steps:
        fit(model, x, y, steps, batch_size=8 if len(x) < 100 else 16)
    found = [f for f in findings(model, x, y, ALL) if f.severity != "note"]
    assert found == []


def test_class_weights_and_dice_are_no_lack_of_skill():
    model = mlp(1, "sigmoid", "binary_crossentropy")
    fit(model, X, WEAK, 220, class_weight={0: 1.0, 1: 9.0})
    assert findings(model, X, WEAK) == []
    model = unet()  # Dice alone does collapse here, to all foreground
    loss = kt.WeightedSum([kt.MaskedSoftDice(), kt.MaskedCrossentropy()])
    model.compile(keras.optimizers.Adam(0.01), loss)
    fit(model, IMAGES, MASKS, 60, batch_size=8)
    assert findings(model, IMAGES, MASKS, ALL) == []
