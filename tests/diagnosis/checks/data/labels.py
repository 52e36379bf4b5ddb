"""Labels with and without faults, and nets for them: for the tests of label checks."""

import keras
import numpy as np
from keras import layers

from tests.diagnosis.checks.data.cases import findings
from tests.diagnosis.nets import inputs
from tests.diagnosis.single import sequential

SCCE, CCE, BCE = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
)
X = inputs()
BINARY = (X.sum(1, keepdims=True) > 0).astype("float32")
IDS = np.arange(64) % 3
ONE_HOT = np.eye(3, dtype="float32")[IDS]
IMAGES = np.random.default_rng(1).normal(size=(16, 8, 8, 3)).astype("float32")
MASKS = (IMAGES[..., :1] > 0).astype("float32")
CLASSES = IMAGES.argmax(-1)
VOID = np.where(np.arange(64) % 5 == 0, 255, IDS)
VOID_CLASSES = np.where(IMAGES[..., 0] > 1, 255, CLASSES)
VOID_MASKS = np.where(IMAGES[..., 1:2] > 1, 255, MASKS)
VOID_ROWS = np.where(VOID[:, None] == 255, 255, ONE_HOT)
ZERO_ROWS = np.where(VOID[:, None] == 255, 0, ONE_HOT)


def codes(*case):
    """The codes of all checks of data, sorted."""
    return sorted(findings(*case))


def assert_only(code, severity, case):
    """The finding of a check, where no other check of data has one."""
    found = findings(*case)
    assert sorted(found) == [code], found
    assert found[code].severity == severity
    assert found[code].evidence
    return found[code]


def sparse(**settings):
    """Keras' sparse cross-entropy with some settings."""
    return keras.losses.SparseCategoricalCrossentropy(**settings)


def conv(units, activation, loss):
    """A segmentation net of one layer, for `IMAGES`."""
    head = layers.Conv2D(units, 3, padding="same", activation=activation)
    return sequential(head, loss=loss, shape=(8, 8, 3))
