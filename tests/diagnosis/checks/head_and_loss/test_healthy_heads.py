"""Nets whose head, loss and labels fit have no finding, however unusual they are."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from tests.diagnosis.checks.head_and_loss.cases import (
    BCE,
    BINARY,
    CCE,
    CLASSES,
    IDS,
    IMAGES,
    MASKS,
    ONE_HOT,
    REAL,
    SCCE,
    X,
    codes,
    conv,
    layered,
    logits,
    sparse,
    without_layer,
)
from tests.diagnosis.nets import net

pytestmark = pytest.mark.filterwarnings("ignore:.*softmax.*:UserWarning")
VOID = np.where(np.arange(64) % 5 == 0, 255, IDS)
VOID_CLASSES = np.where(IMAGES[..., 0] > 1, 255, CLASSES)
VOID_MASKS = np.where(IMAGES[..., 1:2] > 1, 255, MASKS)
VOID_ROWS = np.where(VOID[:, None] == 255, 255, ONE_HOT)
ZERO_ROWS = np.where(VOID[:, None] == 255, 0, ONE_HOT)


def accuracy(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred) < 0.1)


HEADS = {
    "sigmoid of one unit": lambda: (net(1, "sigmoid", BCE), X, BINARY),
    "linear regression": lambda: (net(1, None, "mse"), X, REAL),
    "softmax and ids": lambda: (net(3, "softmax", SCCE), X, IDS),
    "softmax and rows": lambda: (net(3, "softmax", CCE), X, ONE_HOT),
    "logits": lambda: (net(1, None, logits("BinaryCrossentropy")), X, BINARY),
    "logits of classes": lambda: (net(3, None, sparse(from_logits=True)), X, IDS),
    "masks": lambda: (conv(1, "sigmoid", BCE), IMAGES, MASKS),
    "segmentation": lambda: (conv(3, "softmax", SCCE), IMAGES, CLASSES),
    "tanh and its range": lambda: (net(1, "tanh", "mse"), X, np.tanh(REAL)),
    "sigmoid and its range": lambda: (net(1, "sigmoid", "mse"), X, np.cos(REAL) ** 2),
    "relu and counts": lambda: (net(1, "relu", "poisson"), X, np.abs(REAL).round()),
    "leaky relu": lambda: (
        layered(layers.Dense(1), layers.ReLU(negative_slope=0.3), loss="mse"),
        X,
        REAL,
    ),
    "several labels": lambda: (
        net(3, "sigmoid", BCE),
        X,
        (X[:, :3] > 0.5).astype("float32"),
    ),
    "softmax and 2 columns, binary loss": lambda: (
        net(2, "softmax", BCE),
        X,
        np.eye(2)[IDS % 2],
    ),
    "accuracy of classes": lambda: (
        net(3, "softmax", SCCE, metrics=["accuracy"]),
        X,
        IDS,
    ),
    "errors of a regression": lambda: (
        net(1, None, "mse", metrics=["mae", keras.metrics.R2Score()]),
        X,
        REAL,
    ),
    "squared error of 0 and 1, with accuracy": lambda: (
        net(1, "sigmoid", "mse", metrics=["accuracy"]),
        X,
        BINARY,
    ),
    "a metric of one's own": lambda: (
        net(1, None, "mse", metrics=[accuracy]),
        X,
        REAL,
    ),
    "a softmax that is no layer": lambda: (
        without_layer(keras.ops.softmax, SCCE),
        X,
        IDS,
    ),
    "no loss": lambda: (net(1, "sigmoid"), X, BINARY),
    "no targets": lambda: (net(1, "sigmoid", BCE), X, None),
    "attention over places": lambda: (
        layered(layers.Dense(1), layers.Softmax(axis=1), loss="mse", shape=(5, 6)),
        np.repeat(X[:, None], 5, 1) * np.arange(5)[:, None],
        np.full((64, 5, 1), 0.2),
    ),
    "a mean of sigmoids": lambda: (
        layered(
            layers.Conv2D(1, 3, activation="sigmoid"),
            layers.GlobalAveragePooling2D(),
            loss=BCE,
            shape=(8, 8, 3),
        ),
        IMAGES,
        MASKS[:, 0, 0],
    ),
    "missing targets in a loss of one's own": lambda: (
        net(1, "sigmoid", lambda a, b: keras.ops.where(a < 0, 0.0, abs(a - b))),
        X,
        np.where(REAL > 5, -1, np.cos(REAL) ** 2),
    ),
}
LABELS = {
    "void ignored by Keras": lambda: (
        conv(3, "softmax", sparse(ignore_class=255)),
        IMAGES,
        VOID_CLASSES,
    ),
    "void ignored by a masked loss": lambda: (
        conv(3, "softmax", kt.MaskedCrossentropy()),
        IMAGES,
        VOID_CLASSES,
    ),
    "void ignored by Dice": lambda: (
        conv(3, "softmax", kt.MaskedSoftDice()),
        IMAGES,
        VOID_CLASSES,
    ),
    "void in masks ignored": lambda: (
        conv(1, "sigmoid", kt.MaskedCrossentropy()),
        IMAGES,
        VOID_MASKS,
    ),
    "void rows ignored": lambda: (
        net(3, "softmax", kt.MaskedCrossentropy()),
        X,
        VOID_ROWS,
    ),
    "a weighted sum": lambda: (
        conv(
            3,
            None,
            kt.WeightedSum(
                [
                    kt.MaskedSoftDice(from_logits=True),
                    kt.MaskedCrossentropy(from_logits=True),
                ]
            ),
        ),
        IMAGES,
        VOID_CLASSES,
    ),
    "channels first": lambda: (
        layered(
            layers.Conv2D(3, 3, padding="same"),
            layers.Permute((3, 1, 2)),
            loss=kt.MaskedCrossentropy(axis=1, from_logits=True),
            shape=(8, 8, 3),
        ),
        IMAGES,
        VOID_CLASSES,
    ),
    "a region loss of one-hot masks": lambda: (
        conv(3, "softmax", keras.losses.Dice()),
        IMAGES,
        np.eye(3)[CLASSES],
    ),
    "more than 255 classes": lambda: (
        net(300, "softmax", SCCE),
        X,
        np.where(np.arange(64) % 4 == 0, 255, np.arange(64)),
    ),
    "a class a sample of thousands": lambda: (
        net(5000, "softmax", SCCE),
        X,
        np.arange(64) * 70,
    ),
    "an autoencoder with binary cross-entropy": lambda: (
        conv(3, "sigmoid", BCE),
        IMAGES,
        1 / (1 + np.exp(-IMAGES)),
    ),
    "soft labels": lambda: (
        net(3, "softmax", CCE),
        X,
        0.9 * ONE_HOT + 0.1 / 3,
    ),
    "a few labels, soft": lambda: (net(1, "sigmoid", BCE), X, 0.1 + 0.8 * BINARY),
    "policy gradient": lambda: (net(3, "softmax", CCE), X, REAL * ONE_HOT),
    "samples without a label": lambda: (
        net(3, "sigmoid", BCE),
        X,
        ZERO_ROWS,
    ),
    "squared error of two classes": lambda: (
        net(2, "softmax", "mse"),
        X,
        np.eye(2)[IDS % 2],
    ),
    "grades as a regression": lambda: (net(1, None, "mse"), X, IDS),
    "boolean labels": lambda: (net(1, "sigmoid", BCE), X, BINARY > 0),
    "hinge": lambda: (net(1, "tanh", "hinge"), X, 2 * BINARY - 1),
    "sequences": lambda: (
        layered(layers.Dense(3, activation="softmax"), loss=SCCE, shape=(5, 6)),
        np.repeat(X[:, None], 5, 1),
        np.repeat(IDS[:, None], 5, 1),
    ),
}
HEALTHY = HEADS | LABELS


@pytest.mark.parametrize("name", HEALTHY)
def test_a_net_that_fits_is_silent(name):
    assert codes(*HEALTHY[name]()) == []
