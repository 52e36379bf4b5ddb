"""Copies and zeros in weights are found, and valid starts are not."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import answers, only, run, sequential

X = inputs()
Y = X[:, :1]
IDS = np.digitize(X[:, 0], [-0.5, 0.5])


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
    hidden = sequential(*model.layers, layers.Dense(1, bias_initializer="ones"))
    assert run("KTF407", hidden, X, Y).severity == "error"


def test_a_residual_branch_that_starts_at_zero_is_fair():
    image = keras.Input((6,))
    branch = layers.Dense(6, "relu")(image)
    branch = layers.Dense(6, kernel_initializer="zeros")(branch)
    head = layers.Dense(1, kernel_initializer="zeros")
    around = keras.Model(image, head(layers.add([image, branch])))
    assert run("KTF407", around, X, Y) is None
    assert run("KTF407", keras.Model(image, head(branch)), X, Y).severity == "error"


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
    pruned.set_weights([np.ones_like(kernel), bias])
    assert run("KTF407", model, X[..., None]).severity == "warning"


def test_copies_in_a_model_that_has_learned_are_a_note():
    same = layers.Dense(8, "tanh", kernel_initializer="ones")
    model = sequential(same, layers.Dense(1, kernel_initializer="ones"))
    assert run("KTF407", model, X, Y).severity == "error"
    assert run("KTF407", model, X, answers(model, X)).severity == "note"


def test_the_code_draws_every_kernel_of_copies():
    settings = {"kernel_initializer": "ones", "activation": "relu"}
    model = sequential(
        layers.Dense(8, **settings), layers.Dense(8, **settings), layers.Dense(1)
    )
    exec(run("KTF407", model, X, Y).fix, {"model": model, "keras": keras})
    assert run("KTF407", model, X, Y) is None
