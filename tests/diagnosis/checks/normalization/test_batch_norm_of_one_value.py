"""Batch normalization of batches of one sample is found."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix import diagnose
from keras_trainfix.backend import to_numpy
from tests.diagnosis.nets import inputs

X = inputs()
Y = X[:, :1]
IMAGES = inputs(32, 16).reshape(32, 4, 4, 1)


def net(*parts, x=X):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(x.shape[1:]), *parts, layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def norm_net():
    return net(layers.Dense(8), layers.BatchNormalization(name="norm"))


def found(model, x, y, **fit):
    diagnosis = diagnose(model, x, y, fit=False, **fit)
    return [f for f in diagnosis.findings if f.code == "KTF307"]


@pytest.mark.parametrize(("size", "is_found"), [(1, True), (2, False), (None, False)])
def test_the_batch_size_decides(size, is_found):
    findings = found(norm_net(), X, Y, batch_size=size)
    assert bool(findings) == is_found
    if is_found:
        assert findings[0].evidence["layers"] == ["norm"]
        assert "one value per channel" in findings[0].message


def test_it_says_what_training_does():
    model = norm_net()
    answers = [model(X[i : i + 1], training=True) for i in range(4)]
    assert np.ptp([to_numpy(answer)[0, 0] for answer in answers]) < 1e-6


def test_batches_of_an_iterator():
    batches = [(X[i : i + 1], Y[i : i + 1]) for i in range(40)]
    assert found(norm_net(), batches, None)
    pairs = [(X[i : i + 2], Y[i : i + 2]) for i in range(0, 40, 2)]
    assert not found(norm_net(), pairs, None)


@pytest.mark.parametrize("is_pooled", [True, False])
def test_a_convolution_has_several_values(is_pooled):
    pool = layers.GlobalAveragePooling2D()
    norm = layers.BatchNormalization()
    parts = (pool, norm) if is_pooled else (norm, pool)
    model = net(layers.Conv2D(4, 3), *parts, x=IMAGES)
    assert bool(found(model, IMAGES, IMAGES.mean((1, 2)), batch_size=1)) == is_pooled


def test_frozen_statistics_are_sound():
    model = norm_net()
    kt.freeze_batch_norm(model)
    assert not found(model, X, Y, batch_size=1)
    copy = diagnose(norm_net(), X, Y, batch_size=1, fit=False).fixed(norm_net())
    assert not found(copy, X, Y, batch_size=1)
