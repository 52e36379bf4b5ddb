"""Weights of samples and classes."""

import keras
import numpy as np

from tests.diagnosis.experiments.benches import compiled, gains, mlp, pair, table

X, Y = table()
RARE = (Y[:, 0] > 1.1).astype("int32")


def classifier():
    return compiled(mlp(units=2), keras.losses.SparseCategoricalCrossentropy(True))


@pair("no-sample-weights", cured=100.0, sound=1.2)
def test_no_class_weights(weight):
    y = (Y[:, 0] > 0).astype("int32")
    return classifier(), X, y, {"class_weight": {0: weight, 1: 1 / weight}}


def test_class_weights_are_named():
    data = X, RARE
    for settings, words in (
        ({"class_weight": {0: 2.0, 1: 1.0}}, "no class weights"),
        ({"sample_weight": np.ones(len(X))}, "no sample weights"),
    ):
        found = gains("no-sample-weights", classifier(), *data, steps=2, **settings)
        assert list(found) == [words]


@pair("balanced-class-weights", cured={0: 10.0, 1: 0.1}, sound={0: 1.0, 1: 8.0})
def test_balanced_class_weights(class_weight):
    return classifier(), X, RARE, {"class_weight": class_weight}


def test_balanced_classes_need_no_weights():
    y = (Y[:, 0] > 0).astype("int32")
    assert gains("balanced-class-weights", classifier(), X, y) == {}


def test_a_weight_of_zero_stays():
    weights = np.ones(len(X), "float32")
    weights[0] = 0
    assert gains("no-sample-weights", classifier(), X, RARE, weights) == {}
