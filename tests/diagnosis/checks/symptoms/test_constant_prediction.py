"""A model that predicts one number is found."""

import numpy as np
import pytest

from tests.diagnosis.checks.symptoms.cases import (
    X,
    Y,
    answering,
    binary,
    findings,
    steps_done,
    the_only,
)


def test_a_constant_prediction():
    constant = np.ones_like(Y)
    model = answering(constant, "mse", 0)
    assert findings(model, constant, Y) == []  # not trained
    finding = the_only("KTF501", steps_done(model, 20), constant, Y)
    assert finding.evidence["std_ratio"] == 0
    assert finding.evidence["prediction_mean"] == 1


@pytest.mark.parametrize(
    ("steps", "severity"), [(100, []), (1500, ["warning"])], ids=["early", "late"]
)
def test_shrunk_but_in_order(steps, severity):
    model = answering((0.005 * Y).astype("float32"), "mse", steps)
    found = findings(model, (0.005 * Y).astype("float32"), Y)
    assert [finding.severity for finding in found] == severity


def test_a_multi_label_constant():
    y = (X[:, :3] > [0, 0.5, 1]).astype("float32")
    assert y.sum(1).max() > 1
    logits = np.zeros((256, 3), "float32")
    the_only("KTF501", answering(logits, binary()), logits, y)
