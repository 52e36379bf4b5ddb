"""No check of data finds anything in healthy labels."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from tests.diagnosis.checks.data.labels import (
    BCE,
    BINARY,
    CCE,
    CLASSES,
    IDS,
    IMAGES,
    ONE_HOT,
    SCCE,
    VOID_CLASSES,
    VOID_MASKS,
    VOID_ROWS,
    ZERO_ROWS,
    X,
    codes,
    conv,
    sparse,
)
from tests.diagnosis.nets import net
from tests.diagnosis.single import sequential

HEALTHY = {
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
        sequential(
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
        np.random.default_rng(1).permutation(64) * 70,
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
        sequential(layers.Dense(3, activation="softmax"), loss=SCCE, shape=(5, 6)),
        np.repeat(X[:, None], 5, 1),
        np.repeat(IDS[:, None], 5, 1),
    ),
}


REAL = 3 * X.sum(1, keepdims=True)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_net_is_silent(name):
    assert codes(*HEALTHY[name]()) == []
