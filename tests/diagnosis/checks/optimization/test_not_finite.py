"""Values that are not finite are found, except those that do no harm."""

import keras
import numpy as np
from keras import layers

from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import only, run, sequential

X = inputs()
Y = X[:, :1]


def test_nan_in_weights_names_the_layer():
    model = net(loss="mse")
    model.layers[1].bias.assign([np.nan])
    finding = run("KTF409", model, X, Y)
    assert (finding.severity, finding.evidence["layers_with_bad_weights"]) == (
        "error",
        1,
    )
    assert model.layers[1].name in finding.message
    assert finding.evidence["bad_prediction_share"] == 1


def test_overflow_in_activations_names_the_first_layer():
    model = sequential(
        layers.Rescaling(1e30), layers.Rescaling(1e30), layers.Dense(2), layers.Dense(1)
    )
    finding = only("KTF409", model, X, Y)
    assert f"activations of layer '{model.layers[1].name}'" in finding.message


def test_inputs_that_are_not_finite_are_another_fault():
    x = X.copy()
    x[0, 0] = np.nan
    model = net(loss="mse")
    model.layers[1].bias.assign([np.nan])
    assert run("KTF409", model, x) is None
    assert run("KTF409", model, X) is not None


def test_an_infinite_mask_that_a_softmax_removes_is_fair():
    class Mask(layers.Layer):
        def call(self, x):
            return keras.ops.where(x > 2, float("-inf"), x)

    model = sequential(Mask(), layers.Softmax(), layers.Dense(1))
    x = np.clip(2 * X, -3, 3)
    assert run("KTF409", model, x) is None
    bare = sequential(Mask(), layers.Dense(1))
    assert run("KTF409", bare, x) is not None
