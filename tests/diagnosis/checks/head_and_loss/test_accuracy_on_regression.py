"""Accuracies of regressions are found."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.checks.head_and_loss.cases import (
    IDS,
    REAL,
    SCCE,
    X,
    assert_only,
    codes,
)
from tests.diagnosis.nets import net

WARNINGS = [
    lambda: (net(1, None, "mse", metrics=["accuracy"]), X, REAL),
    lambda: (net(1, None, "mse", metrics=["mae", "acc"]), X, REAL),
    lambda: (net(1, None, "mse", metrics=[["accuracy"]]), X, REAL),
    lambda: (net(1, None, "mae", weighted_metrics=["accuracy"]), X, REAL),
    lambda: (
        net(1, None, "mse", metrics=[keras.metrics.BinaryAccuracy()]),
        X,
        REAL,
    ),
    lambda: (
        net(1, None, "mse", metrics=[keras.metrics.binary_accuracy]),
        X,
        REAL,
    ),
    lambda: (
        net(1, None, "mse", metrics=["accuracy"]),
        X,
        np.arange(64) % 10,
    ),
]


@pytest.mark.parametrize("make", WARNINGS)
def test_a_warning_and_its_fix(make):
    assert_only("KTF207", "warning", make())


def test_each_output_is_judged_by_its_own_loss_and_metrics():
    x = keras.Input((6,))
    outputs = {
        "amount": layers.Dense(1, name="amount")(x),
        "kind": layers.Dense(3, activation="softmax", name="kind")(x),
    }
    model = keras.Model(x, outputs)
    y = {"amount": REAL, "kind": IDS}
    loss = {"amount": "mse", "kind": SCCE}
    model.compile("adam", loss, metrics={"kind": ["accuracy"]})
    assert codes(model, X, y, output=0) == codes(model, X, y, output=1) == []
    model.compile("adam", loss, metrics={"amount": "accuracy", "kind": ["accuracy"]})
    assert codes(model, X, y, output=0) == ["KTF207"]
    assert codes(model, X, y, output=1) == []
