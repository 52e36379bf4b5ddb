"""Inputs on a wrong scale are found unless the model scales them."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.checks.data.cases import (
    binary,
    conv_net,
    findings,
    images,
    mixed,
    only,
    sequential,
    wide_and_deep,
)
from tests.diagnosis.nets import inputs, net


def recurrent(kind):
    return sequential(keras.Input((10, 3)), kind, layers.Dense(1, activation="sigmoid"))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(8, activation="tanh")
        self.last = layers.Dense(1)

    def call(self, x):
        return self.last(self.first(x))


def compiled(model, x):
    model(x[:2])
    model.compile("adam", "mse")
    return model


UNSCALED = {
    "images": lambda: (conv_net(), images(0, 255)),
    "bytes": lambda: (conv_net(), images(0, 255).astype("uint8")),
    "tanh": lambda: (conv_net(activation="tanh"), images(0, 255)),
    "augmented": lambda: (conv_net(layers.RandomFlip()), images(0, 255)),
    "padded": lambda: (conv_net(layers.ZeroPadding2D(1)), images(0, 255)),
    "flattened": lambda: (
        sequential(
            keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1, "sigmoid")
        ),
        images(0, 255),
    ),
    "large": lambda: (net(1, "sigmoid", "binary_crossentropy"), mixed([2e3] * 6)),
    "offset": lambda: (net(1, "sigmoid", "binary_crossentropy"), mixed(1) + 1000),
    "mixed": lambda: (
        net(1, "sigmoid", "binary_crossentropy"),
        mixed([1, 0.1, 1, 20, 1, 0.1]),
    ),
    "tiny": lambda: (conv_net(), images() / 255 / 255),
    "lstm": lambda: (
        recurrent(layers.LSTM(8)),
        images(0, 500)[:, 0, :1] + np.zeros((64, 10, 3), "float32"),
    ),
    "bidirectional": lambda: (
        recurrent(layers.Bidirectional(layers.GRU(4))),
        np.random.default_rng(1).normal(500, 100, (64, 10, 3)).astype("float32"),
    ),
    "one of two": lambda: (
        wide_and_deep(),
        {"a": inputs(), "b": inputs(features=2) * 5000},
    ),
    "subclassed": lambda: (compiled(Subclassed(), mixed(1)), mixed([2e3] * 6)),
}


@pytest.mark.parametrize("variant", UNSCALED)
def test_inputs_unscaled(variant):
    model, x = UNSCALED[variant]()
    finding = only(model, x, binary())
    assert (finding.code, finding.name) == ("KTF101", "inputs-unscaled")
    assert finding.severity == "warning"
    assert finding.output is None
    evidence = finding.evidence
    assert evidence["min"] <= evidence["mean"] <= evidence["max"]
    assert evidence["std"] > 0


def test_inputs_unscaled_names_the_worst_feature():
    model = net(1, "sigmoid", "binary_crossentropy")
    finding = only(model, mixed([1, 1, 3000, 1, 1, 1]), binary())
    assert finding.evidence["worst_feature"] == 2
    assert finding.evidence["first_layer_gain"] > 100


def frozen_first():
    model = conv_net()
    model.layers[0].trainable = False
    return model


def scaled_by_operations():
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, activation="relu")(x / 255.0)
    y = layers.Dense(1, activation="sigmoid")(layers.Flatten()(y))
    model = keras.Model(x, y)
    model.compile("adam", "binary_crossentropy")
    return model


def scaled_inside():
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255.0)])
    inner.add(layers.Conv2D(4, 3, activation="relu"))
    return sequential(inner, layers.Flatten(), layers.Dense(1, "sigmoid"))


def pretrained():
    """A first layer that was trained on photographs without their mean colour."""
    model = conv_net()
    model.layers[0].bias.assign(np.full(8, 0.1))
    return model


SCALED = {
    "frozen": frozen_first,
    "operations": scaled_by_operations,
    "inside": scaled_inside,
    "batch normalization": lambda: conv_net(layers.BatchNormalization()),
    "behind": lambda: conv_net(bias=False, behind=[layers.BatchNormalization()]),
    "behind its activation": lambda: conv_net(
        activation=None, behind=[layers.ReLU(), layers.LayerNormalization()]
    ),
    "layer normalization": lambda: conv_net(layers.LayerNormalization()),
    "flipped, then scaled": lambda: conv_net(
        layers.RandomFlip(), layers.Rescaling(1 / 255.0)
    ),
    "lambda": lambda: conv_net(layers.Lambda(lambda x: x / 255.0)),
}


@pytest.mark.parametrize("variant", SCALED)
def test_inputs_that_the_model_scales(variant):
    model = SCALED[variant]()
    assert findings(model, images(0, 255), binary()) == {}


def test_inputs_that_the_model_does_not_scale_enough():
    weak = layers.Rescaling(0.5)
    assert list(findings(conv_net(weak), images(0, 255), binary())) == ["KTF101"]


def test_inputs_scaled_twice_before_a_frozen_body():
    def frozen():
        scale, conv = layers.Rescaling(1 / 255.0), layers.Conv2D(8, 3, use_bias=False)
        model = conv_net(scale, conv, layers.BatchNormalization())
        for layer in model.layers[:3]:
            layer.trainable = False
        return model

    assert findings(frozen(), images(0, 255), binary()) == {}
    finding = findings(frozen(), images(0, 1), binary())["KTF101"]
    assert "scaled twice" in finding.message


def test_inputs_of_a_pretrained_net():
    assert findings(pretrained(), images(-120, 140), binary()) == {}
    assert "KTF101" in findings(conv_net(), images(-120, 140), binary())


def test_recurrent_inputs_that_the_model_scales():
    x = np.random.default_rng(1).normal(500, 100, (64, 10, 3)).astype("float32")
    for scale, expected in ((layers.Rescaling(0.01, -5), []), (None, ["KTF101"])):
        parts = [layers.LSTM(4), layers.Dense(1, activation="sigmoid")]
        parts = [keras.Input((10, 3)), *([scale] if scale else []), *parts]
        assert list(findings(sequential(*parts), x, binary())) == expected


def table_net(x, axis):
    normalization = layers.Normalization(axis=axis)
    normalization.adapt(x)
    return sequential(
        keras.Input((3,)),
        normalization,
        layers.Dense(8, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    )


def test_one_mean_for_all_features():
    x = inputs()[:, :3] * np.float32([1, 5, 3e4]) + np.float32([0, 2, 6e4])
    found = findings(table_net(x, None), x, binary())
    assert list(found) == ["KTF101"]
    assert found["KTF101"].evidence["hidden_features"] == 2
    assert findings(table_net(x, -1), x, binary()) == {}


def table(rng):
    """A raw table, and targets of which half can be predicted."""
    scales = np.array([50, 1.5, 26, 95, 190, 115.0])
    unit = rng.normal(size=(256, 6))
    x = (scales * (1 + 0.3 * unit)).astype("float32")
    y = 10 * (unit[:, :1] - unit[:, 4:5] + rng.normal(0, 1.4, (256, 1)))
    return x, y.astype("float32"), scales


@pytest.mark.parametrize("has_skill", [True, False])
def test_a_raw_table_that_is_learned_all_the_same_is_a_note(rng, has_skill):
    x, y, scales = table(rng)
    model = sequential(keras.Input((6,)), layers.Dense(1))
    model.compile("adam", "mse")
    kernel = np.zeros((6, 1))
    kernel[[0, 4]] = has_skill * np.array([[10], [-10]]) / (0.3 * scales[[0, 4], None])
    kernel[2] += not has_skill
    bias = -x.mean(0) @ kernel
    model.set_weights([kernel, bias])
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(500)
    (finding,) = (f for f in findings(model, x, y).values() if f.code == "KTF101")
    assert finding.severity == ("note" if has_skill else "warning")


@pytest.mark.parametrize("front", ["batch normalization", "normalization", "bins"])
def test_a_raw_table_that_the_model_scales(rng, front):
    x, y, _ = table(rng)
    parts = {
        "batch normalization": [layers.BatchNormalization()],
        "normalization": [layers.Normalization()],
        "bins": [
            layers.Discretization([20.0, 50.0, 100.0, 150.0]),
            layers.Embedding(5, 4),
            layers.Flatten(),
        ],
    }[front]
    if front == "normalization":
        parts[0].adapt(x)
    model = sequential(keras.Input((6,)), *parts, layers.Dense(8, "relu"))
    model.add(layers.Dense(1))
    model.compile("adam", "mse")
    assert findings(model, x, y) == {}
