"""Inputs and features that do not vary are found."""

import numpy as np
import pytest

from tests.diagnosis.checks.data.cases import (
    binary,
    conv_net,
    findings,
    images,
    only,
    wide_and_deep,
)
from tests.diagnosis.nets import inputs, net


@pytest.mark.parametrize("one", [np.zeros((1, 6)), np.ones((1, 6)), inputs(1)], ids=str)
def test_inputs_constant(one):
    x = np.repeat(one, 64, 0).astype("float32")
    finding = only(net(1, "sigmoid", "binary_crossentropy"), x, binary())
    assert (finding.code, finding.name) == ("KTF103", "inputs-constant")
    assert finding.severity == "error"
    assert finding.evidence == {"samples": 64, "constant_share": 1.0}


@pytest.mark.parametrize(
    ("constant", "severity"), [(1, "note"), (3, "note"), (4, "warning"), (5, "warning")]
)
def test_features_constant(constant, severity):
    x = inputs()
    x[:, :constant] = 1
    finding = only(net(1, "sigmoid", "binary_crossentropy"), x, binary())
    assert (finding.code, finding.severity) == ("KTF103", severity)
    assert finding.evidence["features"] == list(range(constant))


def test_inputs_constant_beside_others():
    x = {"a": inputs(), "b": np.ones((64, 2), "float32")}
    assert findings(wide_and_deep(), x, binary()) == {}
    x["a"] = np.ones((64, 6), "float32")
    assert list(findings(wide_and_deep(), x, binary())) == ["KTF103"]


def test_black_borders_are_no_constant_inputs():
    x = images()
    x[:, :3] = x[:, -3:] = 0
    assert findings(conv_net(), x, binary()) == {}
    assert list(findings(conv_net(), x[[0] * 64], binary())) == ["KTF103"]


def test_constant_features_of_a_model_that_has_learned_are_a_note():
    x = inputs()
    x[:, :5] = 1
    model = net(loss="mse")
    assert findings(model, x, inputs(features=1))["KTF103"].severity == "warning"
    learned = model.predict(x, verbose=0)
    assert findings(model, x, learned)["KTF103"].severity == "note"
