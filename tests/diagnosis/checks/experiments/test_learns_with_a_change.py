"""KTF601: only one change makes the model learn."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import diagnose
from tests.diagnosis.experiments.benches import compiled, mlp, table

pytestmark = pytest.mark.usefixtures("whole_bench")
X, Y = table()


def backwards(y_true, y_pred):
    """Falls while the error grows."""
    return 1 / (1 + keras.ops.square(y_true - y_pred))


def test_the_component_is_named():
    diagnosis = diagnose(compiled(mlp(), backwards), X, Y)
    finding = next(f for f in diagnosis.findings if f.code == "KTF601")
    assert finding.severity == "error"
    assert finding.evidence["treatment"] == "standard-loss"
    assert finding.evidence["skill_with"] > 0.5 > finding.evidence["skill_without"]
    assert "With the loss mean_squared_error, " in finding.message


@pytest.mark.parametrize("middle", [(), (layers.Dense(16, "relu", name="second"),)])
def test_the_same_net_with_a_sound_loss(middle):
    diagnosis = diagnose(compiled(mlp(*middle), "mse"), X, Y)
    assert "KTF601" not in diagnosis.codes


def test_before_the_bench_it_is_silent():
    assert "KTF601" not in diagnose(compiled(mlp(), backwards), X, Y, fit=False).codes


def test_a_model_that_lacks_samples_is_not_blamed():
    """It learns those at hand; with tanh the others follow sooner."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(256, 10)).astype("float32")
    y = np.sin(2 * x[:, :1]) + x[:, 1:2] / 2
    hidden = layers.Dense(32, "relu")
    model = mlp(hidden, features=10, width=32)
    diagnosis = diagnose(compiled(model), x, y)
    assert "KTF601" not in diagnosis.codes
