"""Targets out of reach of the head are found, and those within reach are not."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.checks.head_and_loss.cases import (
    IDS,
    IMAGES,
    REAL,
    X,
    assert_only,
    conv,
    findings,
    functional,
    layered,
)
from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import run

ERRORS = [
    lambda: (net(1, "sigmoid", "mse"), X, REAL),
    lambda: (net(1, "sigmoid", "mae"), X, REAL[:, 0]),
    lambda: (net(1, "tanh", keras.losses.Huber()), X, REAL),
    lambda: (net(1, "relu", "mse"), X, REAL),
    lambda: (net(2, "softmax", "mse"), X, X[:, :2]),
    lambda: (net(2, "softmax", "mse"), X, 0.1 + 0 * X[:, :2]),
    lambda: (functional(1, "sigmoid", "mse"), X, REAL),
    lambda: (layered(layers.Dense(1), layers.ReLU(), loss="mse"), X, -REAL),
    lambda: (conv(3, "sigmoid", "mse"), IMAGES, IMAGES),
    lambda: (net(1, "sigmoid", "mse"), X, IDS),
]
WARNINGS = [
    lambda: (net(1, "relu", "mse"), X, np.where(np.arange(64) > 0, 2, -1)[:, None]),
    lambda: (net(1, "sigmoid", lambda a, b: abs(a - b)), X, REAL),
]


@pytest.mark.parametrize("make", ERRORS)
def test_an_error_and_its_fix(make):
    assert_only("KTF202", "error", make())


@pytest.mark.parametrize("make", WARNINGS)
def test_a_warning_and_its_fix(make):
    assert_only("KTF202", "warning", make())


def test_the_share_that_is_out_of_reach_is_measured():
    finding = findings(net(1, "sigmoid", "mse"), X, REAL)["KTF202"]
    assert finding.evidence["share"] == pytest.approx(
        ((REAL < 0) | (REAL > 1)).mean(), abs=0.05
    )
    assert finding.evidence["head_highest"] == 1
    assert "linear" in finding.fix


def test_classes_times_a_return_are_weights_of_a_loss_of_ones_own():
    def policy(y, p):
        return -keras.ops.mean(y * keras.ops.log(p + 1e-8), axis=-1)

    returns = np.random.default_rng(0).uniform(0, 11, (64, 1))
    y = (returns * np.eye(3)[np.arange(64) % 3]).astype("float32")
    assert run("KTF202", net(3, "softmax", policy), inputs(), y) is None
    assert run("KTF202", net(3, "softmax", policy), inputs(), y + 2.0) is not None
