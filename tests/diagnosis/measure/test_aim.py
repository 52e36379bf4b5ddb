"""Targets are what answers should be, unless loss, weights or their origin say no."""

import keras
import numpy as np

from keras_trainfix.diagnosis.measure.aim import (
    aims_at_targets,
    has_fixed_targets,
    has_other_aim,
    has_own_answers,
    repeats_an_input,
)
from tests.diagnosis.nets import inputs, net, view

X = inputs(64)
Y = X[:, :1] - X[:, 1:2]


def mirrored(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true + y_pred))


def own(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred))


def ignoring(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_pred))


def test_losses_that_aim_elsewhere():
    assert aims_at_targets(view(net(1, loss=own), X, Y))
    assert not aims_at_targets(view(net(1, loss=mirrored), X, Y))
    assert has_other_aim(view(net(1, loss=mirrored), X, Y))
    assert not aims_at_targets(view(net(1, loss="cosine_similarity"), X, Y))
    assert has_fixed_targets(view(net(1, loss="cosine_similarity"), X, Y))


def test_losses_that_ignore_the_targets():
    zeros = np.zeros_like(Y)
    for loss, expected in ((ignoring, False), (own, True)):
        assert has_fixed_targets(view(net(1, loss=loss), X, Y)) == expected
    assert not aims_at_targets(view(net(1, loss=ignoring), X, zeros))


def test_weights_that_reward_and_punish():
    model, weights = net(1, loss="mse"), np.ones(64)
    assert has_fixed_targets(view(model, X, Y, weights))
    weights[::2] = -1
    assert not has_fixed_targets(view(model, X, Y, weights))


def test_targets_that_are_the_models_own_answers():
    model = net(4, loss="mse")
    y = model.predict(X, verbose=0)
    y[np.arange(64), np.arange(64) % 4] += 1.0  # what one action has earned
    assert has_own_answers(view(model, X, y))
    assert not has_fixed_targets(view(model, X, y))
    labels = np.eye(4, dtype="float32")[np.arange(64) % 4]
    model.layers[-1].kernel.assign(np.zeros((16, 4)))
    assert not has_own_answers(view(model, X, labels))  # all answers are 0
    other = y + inputs(64, 4, seed=3)
    assert not has_own_answers(view(model, X, other))
    assert aims_at_targets(view(model, X, other))


def test_without_targets():
    assert not aims_at_targets(view(net(1, loss="mse"), X))
    assert aims_at_targets(view(net(1), X, Y))


def test_autoencoders():
    model = net(6, loss="mse")
    assert repeats_an_input(view(model, X, X))
    assert not repeats_an_input(view(model, X, X + 1))
    assert not repeats_an_input(view(model, X))
