"""Other samples of the batch are exchanged."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.diagnosis.experiments.instruments.other_samples import (
    other_samples,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import sequential


def moved(model, x=None):
    (seen,) = other_samples(Snapshot(model, inputs() if x is None else x))
    return seen.moved, seen.layer and seen.layer.name


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (lambda: layers.Softmax(axis=0, name="wrong"), "wrong"),
        (lambda: layers.Lambda(lambda h: h - ops.mean(h, 0), name="mean"), "mean"),
        (
            lambda: layers.Lambda(
                lambda h: ops.reshape(ops.transpose(h), ops.shape(h)), name="turned"
            ),
            "turned",
        ),
        (lambda: layers.Softmax(), None),
        (lambda: layers.BatchNormalization(), None),
        (lambda: layers.Dropout(0.5), None),
    ],
)
def test_the_layer_that_mixes_samples(layer, name):
    by, found = moved(sequential(layers.Dense(4), layer(), layers.Dense(2)))
    assert found == name
    assert by < 1e-5 if name is None else by > 0.05


def test_answers_about_pairs_and_random_answers():
    pairs = sequential(layers.Lambda(lambda h: ops.matmul(h, ops.transpose(h))))
    assert other_samples(Snapshot(pairs, inputs())) is None

    class Noise(layers.Layer):
        def __init__(self):
            super().__init__()
            self.generator = keras.random.SeedGenerator(0)

        def call(self, x):
            return x + keras.random.normal((1, x.shape[-1]), seed=self.generator)

    assert moved(sequential(Noise())) == (0, None)  # the same noise in each call
    assert moved(net()) == (0, None)


def test_few_samples_and_several_outputs():
    assert other_samples(Snapshot(net(), inputs(20))) is None
    x = keras.Input((6,))
    wrong = layers.Softmax(axis=0)(layers.Dense(3)(x))
    model = keras.Model(x, {"a": layers.Dense(2, name="a")(x), "b": wrong})
    seen = {s.output: s.moved for s in other_samples(Snapshot(model, inputs()))}
    assert seen["a"] < 1e-5
    assert seen["b"] > 0.05


def test_the_model_stays_as_it_is():
    model = sequential(layers.BatchNormalization(), layers.Dense(2))
    before = [np.array(w) for w in model.get_weights()]
    assert moved(model)[0] < 1e-5
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
