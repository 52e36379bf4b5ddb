"""Saturated units are found, except in a head."""

import numpy as np
import pytest
from keras import layers

from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import only, run, sequential

X = inputs()
Y = X[:, :1]
IDS = np.digitize(X[:, 0], [-0.5, 0.5])


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_saturated_units(name):
    model = sequential(layers.Dense(16, name), layers.Dense(1))
    finding = only("KTF404", model, 1000 * X)
    assert finding.severity == "warning"
    assert finding.evidence["saturated_share"] > 0.9
    assert run("KTF404", model, X, Y) is None


def test_a_sure_head_is_not_saturated():
    model = net(1, "sigmoid", "binary_crossentropy")
    assert run("KTF404", model, 1000 * X, IDS[:, None] > 0) is None
    split = sequential(layers.Dense(3), layers.Activation("sigmoid"))
    assert run("KTF404", split, 1000 * X) is None
