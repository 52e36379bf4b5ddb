import keras
import numpy as np
from keras import layers

import keras_trainfix as kt
from tests.diagnosis.nets import net
from tests.diagnosis.test_heads import (
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
    conv,
    findings,
    functional,
    layered,
    sparse,
)

VOID = np.where(np.arange(64) % 5 == 0, 255, IDS)
VOID_CLASSES = np.where(IMAGES[..., 0] > 1, 255, CLASSES)
VOID_MASKS = np.where(IMAGES[..., 1:2] > 1, 255, MASKS)
VOID_ROWS = np.where(VOID[:, None] == 255, 255, ONE_HOT)
ZERO_ROWS = np.where(VOID[:, None] == 255, 0, ONE_HOT)
MANY = np.eye(10, dtype="float32")[np.arange(64) % 10]

FAULTY = {
    "KTF206 error": [
        lambda: (net(3, "softmax", SCCE), X, ONE_HOT),
        lambda: (functional(3, "softmax", sparse()), X, ONE_HOT),
        lambda: (net(3, None, sparse(from_logits=True)), X, ONE_HOT),
        lambda: (conv(3, "softmax", SCCE), IMAGES, np.eye(3)[CLASSES]),
        lambda: (net(3, "softmax", CCE), X, IDS),
        lambda: (net(3, "softmax", CCE), X, IDS[:, None]),
        lambda: (conv(3, "softmax", CCE), IMAGES, CLASSES),
        lambda: (conv(3, "softmax", keras.losses.Dice()), IMAGES, CLASSES[..., None]),
        lambda: (net(3, "softmax", BCE), X, IDS),
        lambda: (net(3, "softmax", "mse"), X, IDS[:, None]),
        lambda: (net(1, "sigmoid", BCE), X, REAL),
        lambda: (net(1, "sigmoid", BCE), X, REAL[:, 0]),
        lambda: (net(1, None, BCE), X, REAL),
        lambda: (net(3, "softmax", SCCE), X, REAL),
        lambda: (net(3, "sigmoid", BCE), X, X[:, :3]),
        lambda: (net(1, "sigmoid", BCE), X, 20 + np.arange(64)),
        lambda: (net(1, "sigmoid", CCE), X, REAL),
        lambda: (conv(3, "sigmoid", BCE), IMAGES, IMAGES),
    ],
    "KTF206 warning": [
        lambda: (net(10, "softmax", "mse"), X, MANY),
        lambda: (net(10, "softmax", keras.losses.MeanAbsoluteError()), X, MANY),
        lambda: (net(3, "softmax", CCE), X, np.cos(X[:, :3]) ** 2),
    ],
}

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


def test_pixels_that_are_bytes_are_to_be_divided():
    y = np.random.default_rng(1).integers(0, 256, (16, 8, 8, 3))
    finding = findings(conv(3, "sigmoid", BCE), IMAGES, y)["KTF206"]
    assert "/ 255" in finding.fix


def test_the_fix_of_ids_in_a_region_loss_reads_ids():
    model = conv(3, "softmax", keras.losses.Dice())
    assert (
        "keras_trainfix.MaskedSoftDice()"
        in findings(model, IMAGES, CLASSES)["KTF206"].fix
    )
