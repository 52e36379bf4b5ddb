"""A pretrained body that gets another scale is found, and the scale is named."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.nets import view
from tests.diagnosis.single import answers, judge, run, sequential

PIXELS = np.random.default_rng(0).uniform(0, 255, (32, 16, 16, 3)).astype("float32")
Y = PIXELS.mean((1, 2))[:, :1] / 255


def body(*before, trainable=False):
    net = sequential(
        *before,
        layers.Conv2D(8, 3, use_bias=False),
        layers.BatchNormalization(momentum=0.0),
        layers.GlobalAveragePooling2D(),
        shape=(16, 16, 3),
    )
    net(PIXELS, training=True)
    net.trainable = trainable
    return net


def model(*parts):
    return sequential(*parts, layers.Dense(1), shape=(16, 16, 3))


@pytest.mark.parametrize("is_inside", [True, False])
@pytest.mark.parametrize(
    ("trainable", "severity"), [(False, "error"), (True, "warning")]
)
def test_divided_by_255_twice(is_inside, trainable, severity):
    before = [layers.Rescaling(1 / 255)] if is_inside else []
    net = model(body(*before, trainable=trainable))
    finding = run("KTF133", net, PIXELS / 255, Y)
    assert finding.severity == severity
    assert ("scaled twice" in finding.message) == is_inside
    scope = {"x": PIXELS / 255}
    exec(finding.fix, scope)
    assert scope["x"].max() == pytest.approx(255, rel=0.2)
    assert run("KTF133", net, PIXELS, Y) is None


def test_not_scaled_for_a_known_net():
    net = keras.applications.MobileNetV2(
        weights=None, include_top=False, pooling="avg", input_shape=(32, 32, 3)
    )
    for layer in net.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.beta.assign(layer.beta + 0.1)
    net.trainable = False
    x = np.tile(PIXELS, (1, 2, 2, 1))[:8]
    whole = sequential(net, layers.Dense(1), shape=(32, 32, 3))
    finding = run("KTF133", whole, x, Y[:8])
    assert "MobileNetV2, which expects inputs of -1 to 1. It gets 0" in finding.message
    assert finding.fix == "x = x / 127.5 - 1"
    assert run("KTF133", whole, x / 127.5 - 1, Y[:8]) is None
    assert run("KTF133", whole, x / 255, Y[:8]) is None  # another scheme, but it works


def test_a_subclassed_model():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.body, self.head = body(layers.Rescaling(1 / 255)), layers.Dense(1)

        def call(self, x):
            return self.head(self.body(x / 255))

    net = Net()
    net(PIXELS[:1])
    finding = judge("KTF133", view(net, PIXELS, Y))
    assert "change the layer that scales" in finding.fix
    assert judge("KTF133", view(model(body(layers.Rescaling(1 / 255))), PIXELS)) is None


def test_a_model_that_has_learned_gets_a_note():
    net = model(body())
    assert run("KTF133", net, PIXELS / 255, Y).severity == "error"
    learned = answers(net, PIXELS / 255)
    assert run("KTF133", net, PIXELS / 255, learned).severity == "note"
