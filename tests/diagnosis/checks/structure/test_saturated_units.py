"""Saturated units are found, except in a head."""

import numpy as np
import pytest
from keras import layers

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import answers, only, run, sequential

X = inputs()
Y = X[:, :1]
IDS = np.digitize(X[:, 0], [-0.5, 0.5])


def sigmoid():
    return layers.Activation("sigmoid")


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_saturated_units(name):
    model = sequential(layers.Dense(16, name), layers.Dense(1))
    finding = only("KTF404", model, 1000 * X)
    assert finding.severity == "warning"
    assert finding.evidence["saturated_share"] > 0.9
    assert run("KTF404", model, X, Y) is None


def test_a_sure_head_is_not_saturated():
    for head in ([layers.Dense(3, "sigmoid")], [layers.Dense(3), sigmoid()]):
        assert run("KTF404", sequential(*head), 1000 * X) is None
        hidden = sequential(*head, layers.Dense(1))
        assert run("KTF404", hidden, 1000 * X).severity == "warning"


def test_gates_of_a_model_that_has_learned_are_a_note():
    model = sequential(layers.Dense(16, "tanh"), layers.Dense(1))
    assert run("KTF404", model, 1000 * X, Y).severity == "warning"
    learned = answers(model, 1000 * X)
    assert run("KTF404", model, 1000 * X, learned).severity == "note"
