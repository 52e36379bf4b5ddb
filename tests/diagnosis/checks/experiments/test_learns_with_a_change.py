"""KTF601: only one change makes the model learn."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import diagnose
from tests.diagnosis.experiments.benches import compiled, mlp, table

pytestmark = pytest.mark.usefixtures("whole_bench")
X, Y = table()


def bound(*middle, most=0.02):
    """A net whose weights cannot become large enough, or one that is free."""
    constraint = keras.constraints.MaxNorm(most)
    model = mlp(*middle, kernel_constraint=constraint)
    model.layers[-1].kernel.constraint = constraint
    return compiled(model)


def test_the_component_is_named():
    diagnosis = diagnose(bound(), X, Y)
    finding = next(f for f in diagnosis.findings if f.code == "KTF601")
    assert finding.severity == "error"
    assert finding.evidence["treatment"] == "no-constraints"
    assert finding.evidence["skill_with"] > 0.5 > finding.evidence["skill_without"]
    assert "With the constraints on the weights of " in finding.message


@pytest.mark.parametrize("middle", [(), (layers.Dense(16, "relu", name="second"),)])
def test_the_same_net_with_larger_bounds(middle):
    diagnosis = diagnose(bound(*middle, most=4.0), X, Y)
    assert "KTF601" not in diagnosis.codes


def test_before_the_bench_it_is_silent():
    assert "KTF601" not in diagnose(bound(), X, Y, fit=False).codes


def test_a_model_that_lacks_samples_is_not_blamed():
    """It learns those at hand; with tanh the others follow sooner."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(256, 10)).astype("float32")
    y = np.sin(2 * x[:, :1]) + x[:, 1:2] / 2
    hidden = layers.Dense(32, "relu")
    model = mlp(hidden, features=10, width=32)
    diagnosis = diagnose(compiled(model), x, y)
    assert "KTF601" not in diagnosis.codes
