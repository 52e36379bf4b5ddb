"""Models that no step can change are found."""

import numpy as np
from keras import layers

from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import only, run, sequential

X = inputs()
Y = X[:, :1]
IDS = np.digitize(X[:, 0], [-0.5, 0.5])


def test_a_frozen_model():
    model = net(loss="mse")
    model.trainable = False
    finding = only("KTF303", model, X, Y)
    assert finding.severity == "error"
    assert finding.evidence == {"trainable": 0, "weights": 6 * 16 + 16 + 17}


def test_a_head_on_a_frozen_body_without_features():
    body = layers.Dense(16, "relu", trainable=False)
    model = sequential(body, layers.Dense(1))
    assert run("KTF303", model, X, Y) is None
    body.bias.assign(np.full(16, -99.0))
    finding = run("KTF303", model, X, Y)
    assert finding.severity == "error"
    assert "17 weights" in finding.message
    assert run("KTF303", model, np.ones_like(X)) is None  # the inputs do not vary
