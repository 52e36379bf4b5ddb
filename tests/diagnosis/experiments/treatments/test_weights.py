"""Weights of samples and classes."""

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.thresholds import EFFECT
from tests.diagnosis.experiments.benches import compiled, gains, mlp, table

X, Y = table()
RARE = (Y[:, 0] > 1.1).astype("int32")


def classifier():
    return compiled(mlp(units=2), keras.losses.SparseCategoricalCrossentropy(True))


@pytest.mark.parametrize(
    ("class_weight", "cures"), [({0: 100.0, 1: 0.01}, True), ({0: 1.0, 1: 1.2}, False)]
)
def test_no_class_weights(class_weight, cures):
    y = (Y[:, 0] > 0).astype("int32")
    ((words, value),) = gains(
        "no-sample-weights", classifier(), X, y, class_weight=class_weight
    ).items()
    assert words == "no class weights"
    assert (value > EFFECT) == cures


def test_balanced_class_weights():
    inverted = {0: 10.0, 1: 0.1}
    (value,) = gains(
        "balanced-class-weights", classifier(), X, RARE, class_weight=inverted
    ).values()
    assert value > EFFECT


def test_balanced_classes_need_no_weights():
    y = (Y[:, 0] > 0).astype("int32")
    assert gains("balanced-class-weights", classifier(), X, y) == {}


def test_a_weight_of_zero_stays():
    weights = np.ones(len(X), "float32")
    weights[0] = 0
    assert gains("no-sample-weights", classifier(), X, RARE, weights) == {}
