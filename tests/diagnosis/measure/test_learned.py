"""A model has learned where its predictions are the targets, or rank them."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.measure.learned import has_learned, has_learned_classes
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
