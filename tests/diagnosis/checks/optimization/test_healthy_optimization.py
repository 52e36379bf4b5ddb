"""Nets that learn have no finding of the optimization."""

import numpy as np
import pytest
from keras import layers, optimizers, regularizers

from keras_trainfix.diagnosis.diagnose import diagnose
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.checks.optimization.cases import (
    CODES,
    X,
    Y,
    assert_healthy,
    diagnosis_of,
    first,
    mlp,
    net,
    trained,
)
from tests.diagnosis.nets import judge


def test_nothing_is_said_without_a_trial():
    model = mlp(optimizers.SGD(3.0))
    view = Snapshot(model, X, Y).views()[0]
    assert [code for code in CODES if judge(code, view)] == []
    assert first(diagnosis_of(model)).code == "KTF401"


def test_checks_that_cannot_judge_say_nothing():
    model = mlp(optimizers.SGD(1.0))
    x = X.copy()
    x[3, 0] = np.nan
    assert not set(diagnose(model, x, Y).codes) & set(CODES)
    same = np.ones_like(X)
    assert not set(diagnose(model, same, Y).codes) & {"KTF401", "KTF402", "KTF405"}
    model = mlp(optimizers.SGD(3.0))
    assert "KTF401" in diagnose(model, X, Y).codes


def digits():
    found = pytest.importorskip("sklearn.datasets").load_digits()
    return (found.images[..., None] / 16).astype("float32"), found.target


def digit_net(optimizer, *parts):
    return net(
        *parts,
        layers.Flatten(),
        layers.Dense(64, "relu"),
        layers.Dense(10, "softmax"),
        shape=(8, 8, 1),
        optimizer=optimizer,
        loss="sparse_categorical_crossentropy",
    )


HEALTHY = {
    "adam .01, dense": lambda: digit_net(optimizers.Adam(0.01)),
    "adam .01, convolutions": lambda: digit_net(
        optimizers.Adam(0.01), layers.Conv2D(16, 3, activation="relu")
    ),
    "batch normalization": lambda: digit_net(
        optimizers.Adam(0.01),
        layers.Conv2D(16, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
    ),
    "dropout": lambda: digit_net("adam", layers.Dropout(0.5)),
    "slow sgd": lambda: digit_net(optimizers.SGD(0.01)),
    "momentum": lambda: digit_net(optimizers.SGD(0.05, momentum=0.9)),
    "rmsprop": lambda: digit_net("rmsprop"),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_classifiers(name):
    x, y = digits()
    assert_healthy(HEALTHY[name](), x, y)


@pytest.mark.parametrize(
    "model",
    [
        lambda: mlp(optimizers.SGD(0.01)),
        lambda: mlp("adam", (32,) * 8, "tanh"),
        lambda: mlp("adam", (32, 32), kernel_regularizer=regularizers.L2(1e-3)),
        lambda: mlp(optimizers.Adam(0.01), (64, 64)),
        lambda: mlp(optimizers.AdamW(1e-3, weight_decay=0.01), (64, 64)),
        lambda: mlp(optimizers.Adam(1e-4), (256, 256)),
    ],
)
def test_healthy_regressions(model):
    assert_healthy(model())


def test_a_finished_training():
    assert_healthy(trained())


@pytest.mark.parametrize("rate", [1e-5, 1e-3])
def test_fine_tuning(rate):
    model = trained()
    model.compile(optimizers.Adam(rate), "mse")
    assert_healthy(model)


def test_a_net_at_its_optimum():
    model = net(layers.Dense(1), optimizer=optimizers.SGD(0.1))
    w = np.arange(6.0)[:, None]
    model.set_weights([w, np.array([2.0])])
    assert_healthy(model, X, X @ w + 2)
    assert_healthy(
        model, X, (X @ w + 2 + np.random.default_rng(0).normal(size=(128, 1)))
    )
