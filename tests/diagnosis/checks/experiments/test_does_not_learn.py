"""KTF602: nothing that was tried makes the model learn."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix import diagnose
from tests.diagnosis.experiments.benches import compiled, mlp, table

pytestmark = pytest.mark.usefixtures("whole_bench")
X, Y = table()


def net(tears):
    """Hides the inputs behind a wave that is much too short, or does not."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    first = ops.sign(ops.sin(1e3 * inputs)) if tears else inputs
    hidden = layers.Dense(16, "tanh")(first)
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@pytest.mark.parametrize(("tears", "is_found"), [(True, True), (False, False)])
def test_what_other_learners_see(tears, is_found):
    diagnosis = diagnose(net(tears), X, Y)
    found = [f for f in diagnosis.findings if f.code == "KTF602"]
    assert bool(found) == is_found
    if is_found:
        assert found[0].severity == "warning"
        assert found[0].evidence["reachable"] > 0.5
        assert found[0].evidence["skill"] < 0.1
        assert "4 learning rates" in found[0].message
        assert len(found[0].evidence["tried"]) >= 4


def test_noise_is_no_fault_of_the_model():
    noise = np.random.default_rng(5).normal(size=Y.shape).astype("float32")
    assert "KTF602" not in diagnose(net(False), X, noise).codes


def test_a_cause_comes_alone():
    model = net(True)
    model.compile("adam", lambda y, p: ops.mean(ops.square(ops.mean(y) - ops.mean(p))))
    codes = diagnose(model, X, Y).codes
    assert "KTF212" in codes
    assert "KTF602" not in codes


def test_a_loss_that_leaves_targets_out():
    """Of a table of ratings, most of which are missing and 0."""
    rng = np.random.default_rng(0)
    rated = rng.random((512, 8)) < 0.3
    y = np.where(rated, 3 + rng.normal(size=(512, 1)), 0).astype("float32")

    def of_rated(y_true, y_pred):
        is_rated = keras.ops.cast(y_true != 0, "float32")
        return keras.ops.sum(is_rated * (y_true - y_pred) ** 2, -1) / 8

    diagnosis = diagnose(compiled(mlp(layers.Dense(8)), of_rated), y[:, :4], y)
    assert "KTF602" not in diagnosis.codes
