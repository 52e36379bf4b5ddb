"""Layers that no gradient reaches are named."""

import keras
import pytest
from keras import layers, ops

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import answers, run, sequential

X = inputs()
Y = X[:, :1]


def branches(cut, units):
    """A net of two branches; the first may be cut."""
    keras.utils.set_random_seed(1)
    image = keras.Input((6,))
    one = layers.Dense(units, "relu", name="one")(image)
    one = layers.Lambda(cut)(one)
    two = layers.Dense(8, "relu", name="two")(image)
    model = keras.Model(image, layers.Dense(1)(layers.concatenate([one, two])))
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize(("units", "severity"), [(4, "warning"), (64, "error")])
def test_a_branch(units, severity):
    model = branches(ops.stop_gradient, units)
    finding = run("KTF414", model, X, Y)
    assert finding.severity == severity
    assert "1 of 3 layers with kernels ('one')" in finding.message
    assert run("KTF414", model, X, answers(model, X)).severity == "note"
    assert run("KTF414", branches(ops.relu, units), X, Y) is None


def test_where_no_layer_has_a_gradient():
    """That is another finding."""
    cut = layers.Lambda(ops.stop_gradient)
    assert (
        run("KTF414", sequential(layers.Dense(4), layers.Dense(1), cut), X, Y) is None
    )
    first = sequential(layers.Dense(4), cut, layers.Dense(1))
    assert "1 of 2" in run("KTF414", first, X, Y).message
