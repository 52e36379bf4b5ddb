"""Ids of void are found unless the loss ignores them or they have no weight."""

import keras
import numpy as np
import pytest

import keras_trainfix as kt
from tests.diagnosis.checks.data.cases import findings
from tests.diagnosis.checks.data.labels import (
    BCE,
    CCE,
    IMAGES,
    SCCE,
    VOID,
    VOID_CLASSES,
    VOID_MASKS,
    VOID_ROWS,
    X,
    assert_only,
    codes,
    conv,
    sparse,
)
from tests.diagnosis.nets import net

FAULTY = [
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
]


@pytest.mark.parametrize("case", range(len(FAULTY)))
def test_faults_of_labels(case):
    assert_only("KTF122", "error", FAULTY[case]())


def test_all_shades_of_gray_are_no_void():
    y = np.random.default_rng(1).integers(0, 256, (16, 8, 8, 1))
    assert "KTF122" not in codes(conv(3, "softmax", SCCE), IMAGES, y)
    few = np.where(y < 200, y % 3, 255)
    assert "KTF122" in codes(conv(3, "softmax", SCCE), IMAGES, few)


def test_what_has_no_weight_is_no_void():
    weight = np.where(VOID_MASKS[..., 0] == 255, 0, 1)
    model = conv(1, "sigmoid", BCE)
    assert codes(model, IMAGES, VOID_MASKS, weight) == []
    assert codes(model, IMAGES, VOID_MASKS, np.ones((16, 1, 1))) == ["KTF122"]
    model = net(3, "softmax", CCE)
    assert codes(model, X, VOID_ROWS, np.where(VOID == 255, 0, 1)) == []


def test_the_fix_keeps_logits():
    model = conv(3, None, sparse(from_logits=True))
    fix = findings(model, IMAGES, VOID_CLASSES)["KTF122"].fix
    assert "kt.MaskedCrossentropy(ignore_class=255, from_logits=True)" in fix
