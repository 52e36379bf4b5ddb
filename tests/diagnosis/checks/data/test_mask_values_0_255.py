"""Masks of 0 and 255, or of 0 alone, are found."""

import keras
import numpy as np
import pytest

from tests.diagnosis.checks.data.cases import findings
from tests.diagnosis.checks.data.labels import (
    BCE,
    BINARY,
    CCE,
    CLASSES,
    IMAGES,
    MASKS,
    SCCE,
    X,
    assert_only,
    codes,
    conv,
)
from tests.diagnosis.nets import net

FAULTY = [
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
]


@pytest.mark.parametrize("case", range(len(FAULTY)))
def test_faults_of_labels(case):
    assert_only("KTF123", "error", FAULTY[case]())


@pytest.mark.parametrize(("samples", "severity"), [(16, "warning"), (8, "note")])
def test_masks_of_zeros(samples, severity):
    masks = 0 * MASKS[:samples]
    found = findings(conv(1, "sigmoid", BCE), IMAGES[:samples], masks)
    assert found["KTF123"].severity == severity


def test_masks_with_a_soft_border_of_gray():
    y = 255 * MASKS
    y[:, 0, 0, 0] = np.arange(16) * 9
    assert codes(conv(1, "sigmoid", BCE), IMAGES, y) == ["KTF123"]
