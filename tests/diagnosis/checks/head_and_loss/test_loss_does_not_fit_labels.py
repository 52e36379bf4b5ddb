"""Labels that do not fit their loss are found, and unusual ones that fit are not."""

import keras
import numpy as np
import pytest

from keras_trainfix import Diagnosis
from tests.diagnosis.checks.head_and_loss.cases import (
    BCE,
    CCE,
    CLASSES,
    IDS,
    IMAGES,
    ONE_HOT,
    REAL,
    SCCE,
    X,
    assert_only,
    conv,
    findings,
    functional,
    sparse,
)
from tests.diagnosis.nets import net

MANY = np.eye(10, dtype="float32")[np.arange(64) % 10]
ERRORS = [
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
]
WARNINGS = [
    lambda: (net(10, "softmax", "mse"), X, MANY),
    lambda: (net(10, "softmax", keras.losses.MeanAbsoluteError()), X, MANY),
    lambda: (net(3, "softmax", CCE), X, np.cos(X[:, :3]) ** 2),
]


@pytest.mark.parametrize("make", ERRORS)
def test_an_error_and_its_fix(make):
    assert_only("KTF206", "error", make())


@pytest.mark.parametrize("make", WARNINGS)
def test_a_warning_and_its_fix(make):
    assert_only("KTF206", "warning", make())


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


@pytest.mark.parametrize(
    ("head", "loss", "is_found"),
    [("softmax", CCE, True), ("sigmoid", BCE, False), ("softmax", "mse", False)],
)
def test_rows_that_name_several_classes(head, loss, is_found):
    y = (X[:, :3] > 0).astype("float32")
    model = net(3, head, loss)
    found = findings(model, X, y).get("KTF206")
    assert ("name several classes" in str(found)) == is_found
    if is_found:
        copy = Diagnosis([found]).fixed(model)
        assert copy.layers[-1].activation is keras.activations.sigmoid
        assert not findings(copy, X, y)
