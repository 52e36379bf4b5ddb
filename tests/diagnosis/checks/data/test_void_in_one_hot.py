"""Void in one-hot targets is found unless the loss ignores it."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from tests.diagnosis.checks.data.labels import (
    BCE,
    CCE,
    CLASSES,
    IMAGES,
    ONE_HOT,
    VOID_CLASSES,
    VOID_ROWS,
    ZERO_ROWS,
    X,
    assert_only,
    conv,
)
from tests.diagnosis.nets import net
from tests.diagnosis.single import sequential

FAULTY = [
    lambda: (net(3, "softmax", CCE), X, VOID_ROWS),
    lambda: (
        sequential(layers.Dense(3), layers.Softmax(), loss=CCE),
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
]


ROWS_OF_ZEROS = [
    lambda: (net(3, "softmax", CCE), X, ZERO_ROWS),
    lambda: (
        conv(3, "softmax", keras.losses.Dice()),
        IMAGES,
        np.where(VOID_CLASSES[..., None] == 255, 0, np.eye(3)[CLASSES]),
    ),
]


@pytest.mark.parametrize("case", range(len(FAULTY)))
def test_faults_of_labels(case):
    assert_only("KTF124", "error", FAULTY[case]())


@pytest.mark.parametrize("case", range(len(ROWS_OF_ZEROS)))
def test_rows_of_zeros(case):
    assert_only("KTF124", "warning", ROWS_OF_ZEROS[case]())
