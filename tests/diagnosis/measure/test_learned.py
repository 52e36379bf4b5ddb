"""A model has learned where its predictions are the targets, or rank them."""

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.measure.learned import (
    has_learned,
    has_learned_classes,
    has_learned_the_possible,
)
from tests.diagnosis.checks.symptoms.cases import steps_done
from tests.diagnosis.nets import inputs, net, view
from tests.diagnosis.single import answers

X = inputs(128)


@pytest.mark.parametrize(
    ("noise", "is_learned"), [(0.0, True), (0.3, True), (0.6, False), (2.0, False)]
)
def test_a_regression(rng, noise, is_learned):
    model = net(loss="mse")
    y = answers(model, X)
    y = y + noise * y.std() * rng.normal(size=y.shape)
    assert has_learned(view(model, X, y).snapshot) == is_learned


def test_without_targets_nothing_is_known():
    model = net(loss="mse")
    assert not has_learned(view(model, X).snapshot)
    assert not has_learned_classes(view(model, X))


@pytest.mark.parametrize(
    ("labels", "is_learned"),
    [("predicted", True), ("other", False), ("one class", False)],
)
def test_classes(labels, is_learned):
    model = net(3, "softmax", "sparse_categorical_crossentropy")
    predicted = answers(model, X).argmax(1)
    assert len(np.unique(predicted)) == 3
    y = {
        "predicted": predicted,
        "other": (predicted + 1) % 3,
        "one class": np.zeros(len(X), int),
    }[labels]
    assert has_learned_classes(view(model, X, y)) == is_learned


@pytest.mark.parametrize(
    ("noise", "steps", "is_learned"),
    [(0.3, 500, True), (0.3, 100, False), (1.5, 500, False)],
)
def test_what_simple_learners_reach_is_possible(rng, noise, steps, is_learned):
    x = inputs(256)
    y = x[:, :1] + 1.2 * rng.normal(size=(256, 1))  # R2 0.4 at best
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, use_bias=False)])
    model.compile("adam", "mse")
    model.set_weights([np.eye(6)[:, :1] + noise * np.eye(6)[:, 1:2]])
    seen = view(steps_done(model, steps), x, y).snapshot
    assert has_learned_the_possible(seen) == is_learned
    assert not has_learned(seen)
    assert not has_learned_the_possible(view(model, x).snapshot)
