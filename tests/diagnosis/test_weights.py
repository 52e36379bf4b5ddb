"""Copies, zeros and NaN in weights are found, and fair starts are not."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import assert_page, only, run, sequential

X = inputs()
Y = X[:, :1]


@pytest.mark.parametrize("code", ["KTF407", "KTF409"])
def test_the_page(code):
    assert_page(code)


@pytest.mark.parametrize("head", ["zeros", "ones"])
@pytest.mark.parametrize("kernel", ["zeros", "ones"])
def test_copies(kernel, head):
    model = sequential(
        layers.Dense(8, "tanh", kernel_initializer=kernel),
        layers.Dense(1, kernel_initializer=head),
    )
    finding = run("KTF407", model, X, Y)
    assert finding.severity == "error"
    assert finding.evidence["units"] == finding.evidence["copies"] == 8


def test_copies_that_part_are_a_warning():
    model = sequential(
        layers.Conv1D(8, 2, activation="relu", kernel_initializer="ones"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(3),
        shape=(6, 1),
    )
    assert only("KTF407", model, X[..., None]).severity == "warning"


@pytest.mark.parametrize("head", [1, 4])
def test_a_head_of_zeros_is_fair(head):
    model = sequential(
        layers.Dense(8, "relu"), layers.Dense(head, kernel_initializer="zeros")
    )
    assert run("KTF407", model, X, Y) is None
    with_softmax = sequential(
        layers.Dense(8, "relu"),
        layers.Dense(head, kernel_initializer="zeros"),
        layers.Activation("sigmoid"),
    )
    assert run("KTF407", with_softmax, X, Y) is None


def test_a_residual_branch_that_starts_at_zero_is_fair():
    image = keras.Input((6,))
    branch = layers.Dense(6, "relu")(image)
    branch = layers.Dense(6, kernel_initializer="zeros")(branch)
    y = layers.Dense(1, kernel_initializer="zeros")(layers.add([image, branch]))
    assert run("KTF407", keras.Model(image, y), X, Y) is None


def test_single_units_fixed_filters_and_pruned_units_are_fair():
    fixed = layers.Conv1D(4, 3, kernel_initializer="ones", trainable=False)
    pruned = layers.Dense(8, "relu")
    model = sequential(
        fixed, layers.Flatten(), pruned, layers.Dense(1), layers.Dense(1), shape=(6, 1)
    )
    kernel, bias = pruned.get_weights()
    kernel[:, :5] = 0
    pruned.set_weights([kernel, bias])
    assert run("KTF407", model, X[..., None]) is None


# --- KTF409 not-finite ---


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
    assert run("KTF409", net(loss="mse"), x) is None


def test_an_infinite_mask_that_a_softmax_removes_is_fair():
    class Mask(layers.Layer):
        def call(self, x):
            return keras.ops.where(x > 2, float("-inf"), x)

    model = sequential(Mask(), layers.Softmax(), layers.Dense(1))
    assert run("KTF409", model, np.clip(2 * X, -3, 3)) is None
