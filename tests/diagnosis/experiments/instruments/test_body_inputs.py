"""What enters a pretrained body, against what it was trained with."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.body_inputs import (
    body_inputs,
    common_factor,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.single import sequential

PIXELS = np.random.default_rng(0).uniform(0, 255, (32, 16, 16, 3)).astype("float32")


def found(x, *parts):
    pooled = layers.GlobalAveragePooling2D(), layers.Dense(1)
    return body_inputs(Snapshot(sequential(*parts, *pooled, shape=x.shape[1:]), x))


def body(x, *before, trainable=False):
    """A convolution whose batch normalization has the statistics of `x`."""
    net = sequential(
        *before,
        layers.Conv2D(8, 3, use_bias=False),
        layers.BatchNormalization(momentum=0.0),
        layers.ReLU(),
        shape=x.shape[1:],
    )
    net(x, training=True)
    net.trainable = trainable
    return net


def test_common_factor():
    expected = np.array([1.0, 4.0, 0.5, 0.0])
    assert common_factor(65025 * expected, expected) == pytest.approx(255)
    assert common_factor(expected, expected) == 1
    assert common_factor(np.array([1.0, 400.0, 0.001, 0]), expected) is None
    assert common_factor(0 * expected, expected) is None


def test_statistics_of_another_scale():
    (one,) = found(PIXELS / 255, body(PIXELS))
    assert one.kind == "statistics"
    assert one.factor == pytest.approx(1 / 255, rel=0.1)
    assert one.is_fixed
    (same,) = found(PIXELS, body(PIXELS))
    assert same.factor == pytest.approx(1, rel=0.1)


def test_scaled_by_the_model_and_by_the_body():
    scaling = layers.Rescaling(1 / 255)
    inside = body(PIXELS, layers.Rescaling(1 / 255))
    kinds = {one.kind: one for one in found(PIXELS, scaling, inside)}
    assert kinds["doubled"].body == inside.name
    assert kinds["doubled"].range[1] <= 1
    again = body(PIXELS, layers.Rescaling(1 / 255))
    assert [one.kind for one in found(PIXELS, again)] == ["statistics"]


def test_new_statistics_say_nothing():
    new = sequential(
        layers.Conv2D(8, 3), layers.BatchNormalization(), shape=(16, 16, 3)
    )
    new.trainable = False
    assert found(PIXELS, new) == []
    assert found(PIXELS, body(PIXELS)) != []


@pytest.mark.parametrize(("scale", "kinds"), [(1.0, ["scheme"]), (1 / 255, [])])
def test_a_net_known_by_its_layers(scale, kinds):
    net = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.35
    )
    net.trainable = False
    x = scale * np.tile(PIXELS, (1, 2, 2, 1))[:8]
    assert found(x, net) == []  # without weights it expects nothing
    for layer in net.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(layer.moving_mean + 0.1)
    assert [one.kind for one in found(x, net)] == kinds
