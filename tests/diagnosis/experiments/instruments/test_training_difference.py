"""One layer, the same input, in training and in inference."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.training_difference import (
    compared,
    training_difference,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs
from tests.diagnosis.single import sequential

X = inputs(64)
IMAGES = np.random.default_rng(0).random((64, 8, 8, 3)).astype("float32")


def differences(*parts, x=X):
    net = sequential(*parts, layers.Flatten(), layers.Dense(1), shape=x.shape[1:])
    return training_difference(Snapshot(net, x))


def test_compared():
    x = np.array([[1.0, 2.0], [3.0, 3.0]])
    assert compared(x, x) == (1, 0)
    assert compared(x, 0 * x) == (0, 1)
    assert compared(x, 3 * x) == (-3, 0)
    assert compared(0 * x, x) is None
    assert compared(x, np.nan * x) is None


def test_dropout_and_noise_by_their_size():
    parts = layers.Dropout(0.5), layers.GaussianNoise(1.0)
    dropout, noise = differences(*parts, x=X / 3)
    assert -0.5 < dropout.r2 < 0.5
    assert -11 < noise.r2 < -6
    assert noise.is_noise
    assert noise.training[1] > 2 * noise.inference[1]


def test_augmentation_with_its_ranges():
    default, right = (
        differences(layers.RandomBrightness(0.3, **settings), x=IMAGES)[0]
        for settings in ({}, {"value_range": (0, 1)})
    )
    assert default.r2 < -100
    assert default.blank > 0.25
    assert not default.is_noise
    assert right.r2 > 0.5
    assert right.blank == 0


class Draws(keras.layers.Layer):
    """A normal distribution in training, and its mean in inference."""

    def call(self, x, training=False):
        return x + keras.random.normal(keras.ops.shape(x)) * 100 if training else x


def test_layers_of_the_user_count_before_weights_only():
    (one,) = differences(Draws())
    assert one.r2 < -1000
    assert differences(layers.Dense(6), Draws()) == []


@pytest.mark.parametrize("layer", [layers.BatchNormalization, layers.ReLU])
def test_other_layers_are_not_asked(layer):
    assert differences(layer()) == []


def test_statistics_and_seeds_stay():
    dropout = layers.Dropout(0.5, seed=3)
    before = np.array(dropout.seed_generator.state)
    assert differences(dropout)
    np.testing.assert_array_equal(before, np.array(dropout.seed_generator.state))
