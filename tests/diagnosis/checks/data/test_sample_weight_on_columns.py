"""Weights of samples that reach another axis are found."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import MaskedCrossentropy
from tests.diagnosis.checks.data.cases import (
    findings,
    mask_net,
    only,
    rare_masks,
)
from tests.diagnosis.nets import inputs, net


def step_net(loss="mse", steps=16):
    model = keras.Sequential([keras.Input((steps, 3)), layers.Dense(1)])
    model.compile("adam", loss)
    return model


def steps(samples=16, length=16):
    x = np.random.default_rng(1).normal(size=(samples, length, 3)).astype("float32")
    return x, x[..., :1]


def half_masks(samples=16):
    x, y = rare_masks(samples)
    y[:, :, ::2] = 1
    return x, y


ON_COLUMNS = {
    "pixels": lambda: (mask_net(), *half_masks(), np.ones(16)),
    "more samples": lambda: (mask_net(), *half_masks(48), np.ones(48)),
    "rows": lambda: (mask_net(), *half_masks(), np.ones((16, 1))),
    "steps": lambda: (step_net(), *steps(), np.ones(16)),
    "32 steps": lambda: (step_net("mae", 32), *steps(64, 32), np.ones(64)),
}


@pytest.mark.parametrize("variant", ON_COLUMNS)
def test_sample_weight_on_columns(variant):
    model, x, y, weights = ON_COLUMNS[variant]()
    finding = only(model, x, y, weights)
    assert (finding.code, finding.name) == ("KTF126", "sample-weight-on-columns")
    assert finding.severity == ("warning" if variant == "more samples" else "error")
    repaired = eval(finding.fix.partition("= ")[2], {"sample_weight": weights})
    assert findings(model, x, y, repaired) == {}


def test_keras_weighs_columns():
    """The fault itself: what the check says is what Keras does."""
    y, p = np.zeros((4, 3, 4, 1), "float32"), np.ones((4, 3, 4, 1), "float32")
    p[0] = 3
    weights = np.array([1.0, 0, 0, 0], "float32")
    loss = keras.losses.MeanSquaredError(reduction="none")
    values = keras.ops.convert_to_numpy(loss(y, p, weights))
    assert values[:, :, 0].all()
    assert not values[:, :, 1:].any()


def test_weights_of_samples_that_are_right():
    assert findings(mask_net(), *half_masks(), np.ones((16, 16, 16))) == {}
    assert (
        findings(mask_net(loss=MaskedCrossentropy()), *half_masks(), np.ones(16)) == {}
    )
    x, y = steps()
    assert findings(step_net(), x, y, np.ones((16, 16))) == {}
    # Predictions (N, T, 1) are squeezed to targets (N, T): one value a sample.
    assert findings(step_net(), x, y[..., 0], np.ones(16)) == {}
    model = net(16, loss="mse")
    y = inputs(16, 16, 3)
    assert findings(model, inputs(16), y, np.ones(16)) == {}
    assert list(findings(mask_net(), *half_masks(), np.ones(16))) == ["KTF126"]
