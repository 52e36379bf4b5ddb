"""A layer that is constant whatever its weights are is an error."""

import keras
import pytest
from keras import layers

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import run, sequential

pytestmark = pytest.mark.filterwarnings(
    "ignore:(?s).*You are using a softmax over axis"
)
X = inputs(64, 24).reshape(64, 8, 3)


def attention(axis):
    given = keras.Input((8, 3))
    weights = layers.Softmax(axis, name="weights")(layers.Dense(1, name="score")(given))
    model = keras.Model(given, layers.Dense(1)(layers.Dot(1)([weights, given])))
    model.compile("adam", "mse")
    return model


def test_the_message_names_layer_axis_and_the_other_axis():
    finding = run("KTF422", attention(-1), X, X[:, 0, :1])
    assert finding.severity == "error"
    assert "'weights' sums to one over axis 2 of (batch, 8, 1)" in finding.message
    assert "Axis 1 has 8 places" in finding.message
    assert "'score'" in finding.fix
    assert "axis=1" in finding.fix
    assert run("KTF422", attention(1), X, X[:, 0, :1]) is None


def test_a_gate_of_one_expert_is_a_warning():
    def gated(units):
        given = keras.Input((6,))
        gate = layers.Dense(units, "softmax")(given)
        mixed = layers.Multiply()([gate, layers.Dense(units)(given)])
        model = keras.Model(given, layers.Dense(1)(mixed))
        model.compile("adam", "mse")
        return model

    assert run("KTF422", gated(1), inputs()).severity == "warning"
    assert run("KTF422", gated(2), inputs()) is None


def test_a_normalization_is_named_with_its_value():
    def net(units):
        hidden = [layers.Dense(units), layers.LayerNormalization(name="norm")]
        return sequential(*hidden, layers.Dense(1))

    finding = run("KTF422", net(1), inputs())
    assert "'norm' gives one answer, 0, for all samples" in finding.message
    assert run("KTF422", net(2), inputs()) is None


def test_a_normalization_of_the_only_answer():
    def net(units):
        return sequential(layers.Dense(units), layers.LayerNormalization(name="norm"))

    assert "'norm'" in run("KTF422", net(1), inputs()).message
    assert run("KTF422", net(2), inputs()) is None


def test_the_head_has_its_own_code():
    model = sequential(
        layers.Dense(4), layers.Dense(1, "softmax"), loss="binary_crossentropy"
    )
    y = (inputs()[:, :1] > 0).astype("float32")
    assert run("KTF422", model, inputs(), y) is None
    assert run("KTF201", model, inputs(), y)
