"""Gradients that do not reach the first layers are found, and flat heads are not."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import run, run_after_trial, sequential

X = inputs(128)
Y = X[:, :1] + X[:, 1:2] * X[:, 2:3]
BINARY = "binary_crossentropy"


@settings(max_examples=2)
@given(
    width=st.sampled_from([8, 32]), depth=st.integers(10, 14), seed=st.integers(0, 99)
)
def test_a_gradient_that_vanishes(width, depth, seed):
    x = inputs(128, seed=seed)
    y = x[:, :1] + x[:, 1:2] * x[:, 2:3]
    found = {}
    for activation in ("sigmoid", "relu"):
        hidden = [layers.Dense(width, activation) for _ in range(depth)]
        model = sequential(*hidden, layers.Dense(1))
        found[activation] = run_after_trial("KTF405", model, x, y)
    evidence = found["sigmoid"].evidence
    assert evidence["gradient_ratio"] < 1e-3
    assert evidence["layers"] == depth + 1
    assert found["relu"] is None


@pytest.mark.parametrize("is_residual", [True, False])
def test_a_gradient_that_residual_connections_carry(is_residual):
    entry = keras.Input((6,))
    y = layers.Dense(16)(entry)
    for _ in range(12):
        branch = layers.Dense(16, "sigmoid")(layers.LayerNormalization()(y))
        y = layers.add([y, branch]) if is_residual else layers.Dense(16, "sigmoid")(y)
    model = keras.Model(entry, layers.Dense(1)(y))
    model.compile("adam", "mse")
    assert bool(run_after_trial("KTF405", model, X, Y)) == (not is_residual)


def images(scale):
    x = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3)).astype("float32")
    return scale * x, (x.mean((1, 2, 3)) > 127).astype("float32")


def image_net(*before_the_head, activation="sigmoid", loss=BINARY):
    return sequential(
        layers.Conv2D(8, 3, activation="relu"),
        layers.GlobalAveragePooling2D(),
        *before_the_head,
        layers.Dense(1, activation=activation),
        shape=(8, 8, 3),
        loss=loss,
    )


@pytest.mark.parametrize(
    ("activation", "loss"), [("sigmoid", BINARY), ("sigmoid", "mse"), ("tanh", "mse")]
)
def test_a_saturated_head_of_one_unit_is_no_cut(activation, loss):
    """Nothing is cut: the predictions are at the bounds, where the head is flat."""
    for scale in (10.0, 100.0):
        x, y = images(scale)
        model = image_net(activation=activation, loss=loss)
        assert run("KTF101", model, x, y).severity == "warning"
        assert run_after_trial("KTF405", model, x, y) is None


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_a_cut_before_a_head_of_one_unit(activation):
    x, y = images(1 / 255)
    cut = layers.Lambda(keras.ops.stop_gradient)
    finding = run_after_trial(
        "KTF405", image_net(cut, activation=activation, loss="mse"), x, y
    )
    assert "No gradient reaches" in finding.message
    assert run_after_trial("KTF405", image_net(activation=activation), x, y) is None


def test_what_has_not_shrunk_is_not_mentioned():
    """After training, penalties may have ended the differences between samples."""
    penalty = keras.regularizers.L2(1e-12)
    hidden = [
        layers.Dense(16, "sigmoid", kernel_regularizer=penalty) for _ in range(12)
    ]
    model = sequential(*hidden, layers.Dense(1))
    fresh = run_after_trial("KTF405", model, X, Y)
    assert fresh.evidence["spread_left"] < 1
    assert "differences between samples shrink" in fresh.message
    model.fit(X, Y, verbose=0)
    trained = run_after_trial("KTF405", model, X, Y)
    assert trained.evidence["spread_left"] == 1
    assert "shrink" not in trained.message


def test_a_loss_without_a_slope_is_named():
    def far_apart(y, p):
        return keras.ops.mean(keras.ops.maximum(1.0, keras.ops.abs(y - p) - 1e6), -1)

    finding = run_after_trial(
        "KTF405", sequential(layers.Dense(1), loss=far_apart), X, Y
    )
    assert "the loss 'far_apart' has no slope at the answers" in finding.message
    assert 'loss="mse"' in finding.fix
    cut = layers.Lambda(keras.ops.stop_gradient)
    behind = run_after_trial(
        "KTF405", sequential(layers.Dense(8), layers.Dense(1), cut), X, Y
    )
    assert "an operation" in behind.message


class Radial(layers.Layer):
    """How near the inputs are to some centers between 0 and 1."""

    def build(self, shape):
        self.centers = self.add_weight(shape=(8, shape[-1]), initializer="uniform")

    def call(self, x):
        squares = keras.ops.sum((x[:, None] - self.centers) ** 2, axis=-1)
        return keras.ops.exp(-squares)


@pytest.mark.parametrize("scale", [100.0, 1.0])
def test_inputs_where_a_layer_is_flat(scale):
    model = sequential(Radial(name="radial"), layers.Dense(1))
    finding = run_after_trial("KTF405", model, scale * np.abs(X) + scale, Y)
    if scale == 1:
        assert finding is None
        return
    assert finding.severity == "error"
    assert "layer 'radial' gives the same for all samples" in finding.message
    assert "normalization.adapt(x)" in finding.fix
