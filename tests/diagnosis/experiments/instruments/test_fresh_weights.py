"""Frozen weights, fresh or trained."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.fresh_weights import (
    fresh_weights,
    looks_drawn,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs
from tests.diagnosis.single import sequential

X = inputs(64, 16)


def frozen(*parts):
    body = sequential(*parts, shape=(16,))
    body.trainable = False
    return body


def fresh(*parts, x=X):
    return fresh_weights(Snapshot(sequential(*parts, shape=x.shape[1:]), x))


def body(*, norm=False, settings=None):
    parts = []
    for _ in range(3):
        parts.append(layers.Dense(32, activation="relu", **(settings or {})))
        parts += [layers.BatchNormalization()] if norm else []
    return frozen(*parts)


def test_distributions():
    rng = np.random.default_rng(0)
    uniform, other = rng.uniform(-1, 1, (2, 2000))
    assert looks_drawn(uniform, other)
    assert not looks_drawn(rng.normal(size=2000), other)
    assert not looks_drawn(1.05 * uniform, other)
    assert looks_drawn(1.05 * uniform, other, is_bounded=False)
    assert not looks_drawn(0.8 * uniform, other)


@pytest.mark.parametrize(
    "name",
    [
        "glorot_uniform",
        "he_normal",
        "random_normal",
        "lecun_uniform",
        "truncated_normal",
        "orthogonal",
    ],
)
def test_fresh_kernels_of_any_initializer(name):
    one = fresh(body(settings={"kernel_initializer": name}), layers.Dense(1))
    assert (len(one.fresh), one.layers, one.share) == (3, 3, 1)


def test_trained_kernels_are_not_fresh():
    model = body(norm=True)
    model.trainable = True
    model.compile(keras.optimizers.Adam(0.01), "mse")
    y = np.tile(np.sin(3 * X[:, :1]) + X[:, 1:2] * X[:, 2:3], 32)
    model.fit(X, y, epochs=20, verbose=0)
    model.trainable = False
    trained = fresh(model, layers.Dense(1))
    assert (len(trained.fresh), trained.fresh_normalizations) == (0, 0)
    new = fresh(body(norm=True), layers.Dense(1))
    assert (len(new.fresh), new.fresh_normalizations, new.normalizations) == (3, 3, 3)


def test_what_is_frozen_behind_trained_layers_is_left_out():
    assert fresh(layers.Dense(16), body(), layers.Dense(1)) is None
    assert fresh(body(), layers.Dense(1)).share == 1


def test_constants_are_loaded_on_purpose():
    table = np.random.default_rng(0).normal(size=(20, 8))
    ids = np.random.default_rng(0).integers(0, 20, (64, 5))
    start = keras.initializers.Constant(table)
    rest = layers.Flatten(), layers.Dense(1)
    given = layers.Embedding(20, 8, embeddings_initializer=start, trainable=False)
    assert fresh(given, *rest, x=ids) is None
    drawn = layers.Embedding(20, 8, trainable=False)
    assert fresh(drawn, layers.Flatten(), layers.Dense(1), x=ids).share == 1


def test_recurrent_cells_count():
    cell = layers.LSTM(8, trainable=False)
    x = inputs(16, 15).reshape(16, 5, 3)
    assert fresh(cell, layers.Dense(1), x=x).layers == 1
    assert fresh(layers.LSTM(8), layers.Dense(1), x=x) is None
