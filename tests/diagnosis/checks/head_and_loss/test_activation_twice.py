"""An activation of what an activation gave is found, if targets are out of reach."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.checks.head_and_loss.cases import (
    BCE,
    BINARY,
    CCE,
    IDS,
    ONE_HOT,
    SCCE,
    X,
    layered,
)
from tests.diagnosis.single import assert_page, run


def head(units, first, second, loss, *between):
    return layered(layers.Dense(units, first), *between, second, loss=loss)


def sigmoid():
    return layers.Activation("sigmoid")


@pytest.mark.parametrize(
    ("model", "y", "severity", "highest"),
    [
        (lambda: head(1, "sigmoid", sigmoid(), BCE), BINARY, "error", 0.731),
        (lambda: head(1, "relu", sigmoid(), BCE), BINARY, "error", 1.0),
        (lambda: head(1, "tanh", sigmoid(), BCE), BINARY, "warning", 0.731),
        (lambda: head(1, "sigmoid", sigmoid(), "mse"), BINARY, "error", 0.731),
        (lambda: head(3, "softmax", layers.Softmax(), SCCE), IDS, "warning", 0.576),
        (lambda: head(12, "softmax", layers.Softmax(), SCCE), IDS, "error", 0.198),
        (
            lambda: head(3, "sigmoid", layers.Softmax(), CCE, layers.Dropout(0.5)),
            ONE_HOT,
            "warning",
            0.576,
        ),
    ],
)
def test_an_activation_of_an_activation(model, y, severity, highest):
    finding = run("KTF214", model(), X, y)
    assert finding.severity == severity
    assert finding.evidence["highest"] == pytest.approx(highest, abs=1e-3)


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (lambda: head(1, None, sigmoid(), BCE), BINARY),
        (lambda: head(3, "relu", layers.Softmax(), SCCE), IDS),
        (lambda: head(3, None, layers.Softmax(), SCCE), IDS),
        (lambda: head(3, "softmax", layers.Dense(3, "softmax"), SCCE), IDS),
        (lambda: head(1, "sigmoid", sigmoid(), "mse"), 0.6 + 0.1 * BINARY),
    ],
)
def test_what_reaches_its_targets(model, y):
    assert run("KTF214", model(), X, y) is None


def test_the_fix_keeps_one():
    model = head(1, "sigmoid", sigmoid(), BCE)
    names = {"model": model, "x": X, "y": BINARY, "keras": keras, "np": np}
    exec(run("KTF214", model, X, BINARY).fix, names)
    assert run("KTF214", names["model"], X, BINARY) is None


def test_the_page():
    assert_page("KTF214")
