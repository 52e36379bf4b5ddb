"""A `training=False` that `fit` ignores is found."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from tests.diagnosis.nets import inputs
from tests.diagnosis.single import run

pytestmark = pytest.mark.every_backend
X = inputs()
Y = X[:, :1]
IDS = np.digitize(X[:, 0], [-0.5, 0.5])


def body(norms=2):
    parts = []
    for _ in range(norms):
        parts += [layers.Dense(8, "relu"), layers.BatchNormalization()]
    return keras.Sequential([keras.Input((6,)), *parts], name="body")


def on_top(base, **call):
    image = keras.Input((6,))
    model = keras.Model(image, layers.Dense(1)(base(image, **call)))
    model.compile("adam", "mse")
    return model


def moves(base, model):
    norm = base.layers[-1]
    before = to_numpy(norm.moving_mean)
    model.fit(X, Y, verbose=0)
    return bool((to_numpy(norm.moving_mean) != before).any())


def test_an_ignored_training_false_is_what_fit_does():
    base = body()
    model = on_top(base, training=False)
    finding = run("KTF302", model, X, Y)
    assert (finding is not None) == moves(base, model)
    if finding:
        assert finding.severity == "warning"
        assert finding.evidence["batch_norm_layers"] == 2
        assert "'body'" in finding.message


@pytest.mark.parametrize("how", ["functional", "deep", "layer", "subclassed"])
def test_wherever_it_is_recorded(how):
    base = body(1)
    if how == "functional":
        base = keras.Model(base.inputs, base.outputs[0], name="functional")
        model = on_top(base, training=False)
    elif how == "deep":
        model = on_top(on_top(base, training=False))
    elif how == "layer":
        image = keras.Input((6,))
        norm = layers.BatchNormalization()(image, training=False)
        model = keras.Model(image, layers.Dense(1)(norm))
    else:

        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.base, self.head = body(1), layers.Dense(1)

            def call(self, x, training=None):
                return self.head(self.base(x, training=False))

        model = Own()
        model(X)
    model.compile("adam", "mse")
    assert bool(run("KTF302", model, X, Y)) == (how != "subclassed")


def test_statistics_that_cannot_move():
    frozen = body()
    frozen.trainable = False
    model = on_top(frozen, training=False)
    assert run("KTF302", model, X, Y) is None
    assert not moves(frozen, model)
    repaired = body()
    kt.freeze_batch_norm(repaired)
    model = on_top(repaired, training=False)
    assert run("KTF302", model, X, Y) is None
    assert not moves(repaired, model)
    assert run("KTF302", on_top(body()), X, Y) is None
    assert run("KTF302", on_top(body(), training=True), X, Y) is None
    free = body()
    model = on_top(free, training=False)
    assert bool(run("KTF302", model, X, Y)) == moves(free, model)
    no_norm = keras.Sequential([keras.Input((6,)), layers.Dense(4)])
    assert run("KTF302", on_top(no_norm, training=False), X, Y) is None
