"""Free answers that follow the gradient of a loss end at the targets if it is sound."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.diagnosis.experiments.instruments.wanted_answers import (
    wanted_answers,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import ASKED_FOR
from tests.diagnosis.nets import inputs

TINY = 1e-7
X = inputs(96)
REAL = 3 * X[:, :1] + 10
SIDES = np.sign(X[:, :1])
IDS = X[:, :4].argmax(1)
HARD = np.eye(4, dtype="float32")[IDS]
SOFT = (np.exp(X[:, :4]) / np.exp(X[:, :4]).sum(1, keepdims=True)).astype("float32")
MULTI = (X[:, :3] > 0).astype("float32")
RATED = np.where(np.arange(96)[:, None] % 3, 0, REAL)


def kl(t, p):
    return ops.sum(t * (ops.log(t + TINY) - ops.log(p + TINY)), -1)


def sparse(t, p):
    return keras.losses.sparse_categorical_crossentropy(t, p)


def correlation(t, p):
    t, p = t - ops.mean(t), p - ops.mean(p)
    return -ops.sum(t * p) / ops.sqrt(ops.sum(t**2) * ops.sum(p**2) + TINY)


def known_only(t, p):
    known = ops.cast(ops.not_equal(t, 0), p.dtype)
    return ops.sum(known * (t - p) ** 2) / ops.sum(known)


def contrastive(t, p):
    return t * p**2 + (1 - t) * ops.maximum(1 - p, 0) ** 2


SOUND = [
    (1, None, REAL, lambda t, p: (t - p) ** 2),
    (1, None, REAL, lambda t, p: ops.abs(t - p)),
    (1, None, REAL, lambda t, p: (t - p) ** 4),
    (1, None, REAL, lambda t, p: ops.maximum(0.9 * (t - p), -0.1 * (t - p))),
    (1, None, REAL, correlation),
    (1, None, REAL, lambda t, p: ops.exp(p / 10) - t * p / 10),
    (1, None, RATED, known_only),
    (1, None, SIDES, lambda t, p: ops.maximum(1 - t * p, 0)),
    (1, None, SIDES, lambda t, p: t * p),
    (1, "softplus", MULTI[:, :1], contrastive),
    (4, "softmax", SOFT, kl),
    (4, "softmax", HARD, lambda t, p: -ops.sum(t * ops.log(p + TINY), -1)),
    (4, "softmax", SOFT, lambda t, p: -ops.sum(t * (1 - p) ** 2 * ops.log(p), -1)),
    (4, "softmax", IDS, sparse),
    (3, "sigmoid", MULTI, lambda t, p: 1 - ops.sum(t * p) / ops.sum(t + p)),
]
FAULTY = [
    (1, None, REAL, lambda t, p: -((t - p) ** 2)),
    (1, None, REAL, lambda t, p: 1 / (1 + (t - p) ** 2)),
    (1, None, REAL, lambda t, p: t * p + p**2),
    (4, "softmax", SOFT, lambda t, p: ops.sum(t * (ops.log(t + TINY) - p), -1)),
    (4, "softmax", HARD, lambda t, p: ops.sum(t * ops.log(p + TINY), -1)),
    (4, "softmax", IDS, lambda t, p: -sparse(t, p)),
    (3, "sigmoid", MULTI, lambda t, p: ops.sum(t * p) / ops.sum(t + p)),
]


def net(units, activation, loss):
    keras.utils.set_random_seed(1)
    hidden = layers.Dense(8, "relu")
    model = keras.Sequential(
        [keras.Input((6,)), hidden, layers.Dense(units, activation)]
    )
    model.compile("adam", lambda t, p: loss(ops.cast(t, p.dtype), p))
    return model


def fit_of(units, activation, targets, loss):
    seen = wanted_answers(Snapshot(net(units, activation, loss), X, targets))
    return next(iter(seen.values())).fit


@pytest.mark.parametrize("case", range(len(SOUND)))
def test_a_loss_that_asks_for_the_targets(case):
    assert fit_of(*SOUND[case]) > 2 * ASKED_FOR


@pytest.mark.parametrize("case", range(len(FAULTY)))
def test_a_loss_that_asks_for_something_else(case):
    assert fit_of(*FAULTY[case]) < ASKED_FOR / 2


def test_losses_of_keras_and_other_kinds_of_targets_are_not_asked():
    model = net(1, None, lambda t, p: (t - p) ** 2)
    model.compile("adam", "mse")
    assert wanted_answers(Snapshot(model, X, REAL)) is None
    other = net(3, None, lambda t, p: ops.mean((t - ops.mean(p, -1)) ** 2))
    assert wanted_answers(Snapshot(other, X, np.tile(REAL, 2))) is None


def test_the_model_stays_as_it_is():
    model = net(1, None, lambda t, p: (t - p) ** 2)
    before = model.get_weights()
    wanted_answers(Snapshot(model, X, REAL))
    assert all(map(np.array_equal, before, model.get_weights()))
