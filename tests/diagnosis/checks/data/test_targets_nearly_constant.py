"""Targets that hardly vary are found."""

import keras
import numpy as np
import pytest

from tests.diagnosis.checks.data.cases import (
    findings,
    only,
    real,
)
from tests.diagnosis.nets import net


@pytest.mark.parametrize(
    ("scale", "offset"), [(1e-3, 1), (0.1, 50), (0, 1), (0, 0), (1e-4, -0.5)]
)
def test_targets_nearly_constant(scale, offset):
    finding = only(net(loss="mse"), *real(scale, offset))
    assert (finding.code, finding.name) == ("KTF112", "targets-nearly-constant")
    assert finding.severity == "warning"


def test_targets_around_the_bias_of_the_head():
    x, y = real(0.1, 50)
    model = net(loss="mse")
    assert findings(model, x, y)["KTF112"].severity == "warning"
    head = model.layers[-1]
    head.kernel.assign(0.1 * head.kernel)
    head.bias.assign(y.mean(0))
    assert findings(model, x, y) == {}


def test_targets_of_one_value():
    x, y = real()
    y[:-2] = 0
    finding = only(net(loss="mse"), x, y)
    assert finding.code == "KTF112"
    assert finding.evidence["most_frequent"] == 0
    assert finding.evidence["most_frequent_share"] == pytest.approx(126 / 128)
    assert "sample_weight" in finding.fix


@pytest.mark.parametrize(
    ("scale", "offset", "expected"),
    [(1e-3, 0, []), (1, 20, []), (0.1, 1, []), (1e-3, 1, ["KTF112"])],
)
def test_targets_that_vary(scale, offset, expected):
    assert list(findings(net(loss="mse"), *real(scale, offset))) == expected


@pytest.mark.parametrize(("constant", "expected"), [(1, []), (2, ["KTF112"])])
def test_one_constant_column_of_three_is_no_fault(constant, expected):
    x, y = real(columns=3)
    y[:, -constant:] = 1
    assert list(findings(net(3, loss="mse"), x, y)) == expected


def test_rare_targets_that_have_been_learned_are_a_note():
    x, _ = real()
    model = net(loss="mse")
    for layer in model.layers:  # it answers 0 to all but two samples
        layer.kernel.assign(np.eye(*layer.kernel.shape))
    model.layers[0].bias.assign(np.full(16, -np.sort(x[:, 0])[-3]))
    learned = model.predict(x, verbose=0)
    assert only(model, x, learned).severity == "note"
    assert only(model, x, learned[::-1]).severity == "warning"


def placeholder(y, predictions):
    return keras.ops.mean(keras.ops.square(predictions))


def test_targets_that_are_a_placeholder():
    x, y = real()
    assert findings(net(), x, 0 * y) == {}  # its losses are its own
    assert findings(net(loss=placeholder), x, 0 * y) == {}
    assert list(findings(net(loss="mse"), x, 0 * y)) == ["KTF112"]
