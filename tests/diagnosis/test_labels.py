import keras
import numpy as np
import pytest
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
    OF_LABELS,
    ONE_HOT,
    OWN,
    REAL,
    SCCE,
    X,
    codes,
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
    "KTF121 error": [
        lambda: (net(3, "softmax", SCCE), X, IDS + 1),
        lambda: (net(3, None, sparse(from_logits=True)), X, IDS[:, None] + 1.0),
        lambda: (net(3, "softmax", SCCE), X, IDS - 1),
        lambda: (net(3, "softmax", SCCE), X, 10 * IDS),
        lambda: (net(1, "sigmoid", BCE), X, 2 * BINARY - 1),
        lambda: (net(1, "sigmoid", BCE), X, BINARY + 1),
        lambda: (conv(3, "softmax", SCCE), IMAGES, CLASSES + 1),
        lambda: (conv(3, "softmax", kt.MaskedCrossentropy()), IMAGES, CLASSES + 1),
        lambda: (conv(3, "softmax", sparse(ignore_class=255)), IMAGES, CLASSES + 1),
    ],
    "KTF122 error": [
        lambda: (net(3, "softmax", SCCE), X, VOID),
        lambda: (net(3, "softmax", SCCE), X, np.where(VOID == 255, -1, VOID)),
        lambda: (conv(3, "softmax", SCCE), IMAGES, VOID_CLASSES),
        lambda: (conv(3, "softmax", sparse(ignore_class=0)), IMAGES, VOID_CLASSES),
        lambda: (conv(3, "softmax", SCCE), IMAGES, VOID_CLASSES[..., None] * 1.0),
        lambda: (
            conv(3, "softmax", kt.MaskedCrossentropy(ignore_class=None)),
            IMAGES,
            VOID_CLASSES,
        ),
        lambda: (conv(1, "sigmoid", BCE), IMAGES, VOID_MASKS),
        lambda: (conv(1, "sigmoid", keras.losses.Dice()), IMAGES, VOID_MASKS),
    ],
    "KTF123 error": [
        lambda: (conv(1, "sigmoid", BCE), IMAGES, 255 * MASKS),
        lambda: (
            conv(1, "sigmoid", BCE),
            IMAGES,
            (255 * MASKS[..., 0]).astype("uint8"),
        ),
        lambda: (conv(1, "sigmoid", keras.losses.Dice()), IMAGES, 255 * MASKS),
        lambda: (conv(2, "softmax", SCCE), IMAGES, (255 * MASKS).astype("int32")),
        lambda: (conv(1, "sigmoid", "mse"), IMAGES, 255 * MASKS),
        lambda: (conv(1, "sigmoid", BCE), IMAGES, MASKS / 255),
        lambda: (net(1, "sigmoid", BCE), X, 255 * BINARY),
        lambda: (conv(3, "softmax", CCE), IMAGES, 255 * np.eye(3)[CLASSES]),
    ],
    "KTF123 warning": [
        lambda: (conv(1, "sigmoid", BCE), IMAGES, (MASKS / 255).astype("uint8")),
    ],
    "KTF123 note": [
        lambda: (conv(1, "sigmoid", BCE), IMAGES[:8], 0 * MASKS[:8]),
    ],
    "KTF124 error": [
        lambda: (net(3, "softmax", CCE), X, VOID_ROWS),
        lambda: (
            functional(3, "softmax", CCE),
            X,
            np.where(VOID_ROWS > 1, -1, ONE_HOT),
        ),
        lambda: (net(3, "sigmoid", BCE), X, VOID_ROWS),
        lambda: (
            net(3, "softmax", kt.MaskedCrossentropy(ignore_class=None)),
            X,
            VOID_ROWS,
        ),
        lambda: (
            conv(3, "softmax", CCE),
            IMAGES,
            np.where(VOID_CLASSES[..., None] == 255, 255, np.eye(3)[CLASSES]),
        ),
    ],
    "KTF124 warning": [
        lambda: (net(3, "softmax", CCE), X, ZERO_ROWS),
        lambda: (
            conv(3, "softmax", keras.losses.Dice()),
            IMAGES,
            np.where(VOID_CLASSES[..., None] == 255, 0, np.eye(3)[CLASSES]),
        ),
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


@pytest.mark.parametrize(
    ("expected", "case"),
    [(key, i) for key, cases in FAULTY.items() for i in range(len(cases))],
)
def test_a_fault_is_found_and_nothing_else(expected, case):
    found = findings(*FAULTY[expected][case]())
    code, severity = expected.split()
    assert sorted(found) == [code]
    assert found[code].severity == severity
    assert found[code].evidence


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_net_is_silent(name):
    assert codes(*HEALTHY[name]()) == []


def test_names_of_the_checks():
    assert {code: OWN[code].name for code in OF_LABELS} == {
        "KTF121": "label-out-of-range",
        "KTF122": "void-label-not-ignored",
        "KTF123": "mask-values-0-255",
        "KTF124": "void-in-one-hot",
        "KTF206": "loss-does-not-fit-labels",
    }


def test_labels_out_of_range_are_listed_with_their_counts():
    y = np.where(np.arange(64) < 5, 77, IDS)
    finding = findings(net(3, "softmax", SCCE), X, y)["KTF121"]
    assert finding.evidence["unknown"] == [[77, 5]]
    assert "77 (5x)" in finding.message


@pytest.mark.parametrize(
    ("y", "fix"),
    [(IDS + 1, "y = y - (1)"), (IDS - 1, "y = y - (-1)"), (9 * IDS, "return_inverse")],
)
def test_the_fix_of_labels_out_of_range(y, fix):
    assert fix in findings(net(3, "softmax", SCCE), X, y)["KTF121"].fix


def test_void_and_a_label_out_of_range_are_both_named():
    y = np.where(np.arange(64) < 5, 77, VOID)
    assert codes(net(3, "softmax", SCCE), X, y) == ["KTF121", "KTF122"]


def test_all_shades_of_grey_are_no_void():
    y = np.random.default_rng(1).integers(0, 256, (16, 8, 8, 1))
    assert "KTF122" not in codes(conv(3, "softmax", SCCE), IMAGES, y)


def test_masks_with_a_soft_border_of_grey():
    y = 255 * MASKS
    y[:, 0, 0, 0] = np.arange(16) * 9
    assert codes(conv(1, "sigmoid", BCE), IMAGES, y) == ["KTF123"]


def test_what_has_no_weight_is_no_void():
    weight = np.where(VOID_MASKS[..., 0] == 255, 0, 1)
    model = conv(1, "sigmoid", BCE)
    assert codes(model, IMAGES, VOID_MASKS, weight) == []
    assert codes(model, IMAGES, VOID_MASKS, np.ones(16)) == ["KTF122"]
    model = net(3, "softmax", CCE)
    assert codes(model, X, VOID_ROWS, np.where(VOID == 255, 0, 1)) == []


def test_the_fix_keeps_logits():
    model = conv(3, None, sparse(from_logits=True))
    fix = findings(model, IMAGES, VOID_CLASSES)["KTF122"].fix
    assert "kt.MaskedCrossentropy(ignore_class=255, from_logits=True)" in fix


def test_pixels_that_are_bytes_are_to_be_divided():
    y = np.random.default_rng(1).integers(0, 256, (16, 8, 8, 3))
    finding = findings(conv(3, "sigmoid", BCE), IMAGES, y)["KTF206"]
    assert "/ 255" in finding.fix


def test_the_fix_of_ids_in_a_region_loss_reads_ids():
    model = conv(3, "softmax", keras.losses.Dice())
    assert "kt.MaskedSoftDice()" in findings(model, IMAGES, CLASSES)["KTF206"].fix
