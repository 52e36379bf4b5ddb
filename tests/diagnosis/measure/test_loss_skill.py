"""Answers are rated for their own targets and for shuffled ones, by any loss."""

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.measure.loss_skill import skill_by
from tests.diagnosis.nets import inputs, net, view

X = inputs(64)


def squared(answers):
    return lambda y: float(np.mean((y - answers) ** 2))


def test_answers_that_fit_have_skill(rng):
    y = rng.normal(size=(64, 1))
    assert skill_by(squared(y), y).value == 1
    near = skill_by(squared(y + 0.3 * rng.normal(size=y.shape)), y)
    assert 0.8 < near.value < 1
    assert not near.is_absent
    noise = skill_by(squared(rng.normal(size=y.shape)), y)
    assert noise.is_absent
    assert abs(noise.value) < 0.2


def test_a_loss_with_the_wrong_sign_looks_fine(rng):
    y = rng.normal(size=(64, 1))
    opposite = skill_by(lambda t: -squared(-y)(t), y)
    assert opposite.value > 0.5


def test_a_loss_that_ignores_the_targets_is_told_from_one_that_mixes_them(rng):
    y = rng.normal(size=(64, 1))
    assert not skill_by(lambda t: 0.5, y).reads_targets
    mixed = skill_by(lambda t: float(t.mean() - 1) ** 2, y)
    assert mixed.reads_targets
    assert mixed.value == pytest.approx(0, abs=1e-6)


def test_losses_that_cannot_be_computed():
    assert skill_by(lambda t: None, X) is None
    assert skill_by(lambda t: 1.0 if t is X else None, X) is None
    assert skill_by(lambda t: 1.0, X).value == 0


def test_of_an_output():
    y = X.sum(1, keepdims=True)
    model = net(1, loss="mse")
    assert abs(view(model, X, y).loss_skill.value) < 0.3
    known = view(model, X, model.predict(X, verbose=0))
    assert known.loss_skill.value == pytest.approx(1, abs=1e-3)
    assert view(net(1), X, y).loss_skill is None
    assert view(model, X[:8], y[:8]).loss_skill is None
    assert view(model, X).loss_skill is None


def test_any_loss():
    def nearest(y, p):
        y = keras.ops.cast(y, "int32")
        return keras.ops.mean(keras.ops.square(p - keras.ops.one_hot(y, 4)))

    ids = np.arange(64) % 4
    model = keras.Sequential([keras.Input((4,)), keras.layers.Identity()])
    model.compile("adam", nearest)
    rows = np.eye(4, dtype="float32")
    assert view(model, rows[ids], ids).loss_skill.value > 0.9
    assert view(model, rows[np.roll(ids, 1)], ids).loss_skill.is_absent
