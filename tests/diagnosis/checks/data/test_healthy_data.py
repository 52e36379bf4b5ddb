"""No check of data finds anything in healthy data."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.checks.data.cases import (
    binary,
    classes,
    conv_net,
    findings,
    ids,
    images,
    mixed,
    sequential,
    wide_and_deep,
    word_net,
)
from tests.diagnosis.nets import inputs, net


def regression(scale=1.0, offset=0.0, **settings):
    x = inputs()
    y = scale * np.tanh(x[:, :1] + x[:, 1:2]) * 1.5 + offset
    return net(1, None, "mse", **settings), x, y.astype("float32")


def series_net():
    return sequential(keras.Input((20, 2)), layers.LSTM(8), layers.Dense(1), loss="mse")


def series(samples=64):
    rng = np.random.default_rng(1)
    phase = rng.uniform(0, 6, (samples, 1))
    x = np.sin(phase + np.arange(21) / 3)
    x = np.stack([x, np.cos(x)], -1).astype("float32")
    return x[:, :20], x[:, 20, :1]


def sparse_inputs():
    x = np.zeros((64, 6), "float32")
    x[np.arange(0, 64, 5), np.arange(0, 64, 5) % 5] = 1
    return x


def digits():
    """Pixels from 0 to 16, some of which are rarely drawn."""
    x = np.random.default_rng(1).integers(0, 17, (128, 6)).astype("float32")
    x[:, 4] = x[:, 5] = 0
    x[::50, 4], x[7, 5] = 9, 1
    return x


def segmentation():
    x = images()
    y = (x.mean(-1) > 0.5).astype("int32")
    model = sequential(
        keras.Input((8, 8, 3)),
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.Conv2D(2, 1, activation="softmax"),
        loss="sparse_categorical_crossentropy",
    )
    return model, x, y


HEALTHY = {
    "table": lambda: (
        net(1, "sigmoid", "binary_crossentropy"),
        inputs(),
        binary(),
    ),
    "iris-like": lambda: (
        net(3, "softmax", "sparse_categorical_crossentropy"),
        np.abs(mixed([1, 2, 5, 0.3, 1, 1])),
        classes(),
    ),
    "images from 0": lambda: (conv_net(), images(), binary()),
    "images from -1": lambda: (conv_net(), images(-1), binary()),
    "rescaled": lambda: (
        conv_net(layers.Rescaling(1 / 255.0)),
        images(0, 255).astype("uint8"),
        binary(),
    ),
    "batch normalization": lambda: (
        conv_net(layers.BatchNormalization()),
        images(0, 255),
        binary(),
    ),
    "one-hot inputs": lambda: (
        net(1, "sigmoid", "binary_crossentropy"),
        np.eye(6, dtype="float32")[classes(6)],
        binary(),
    ),
    "ids": lambda: (word_net(), ids(), binary()),
    "sparse": lambda: (
        net(1, "sigmoid", "binary_crossentropy"),
        sparse_inputs(),
        binary(),
    ),
    "rare pixels": lambda: (
        net(1, "sigmoid", "binary_crossentropy"),
        digits(),
        binary(128),
    ),
    "series": lambda: (series_net(), *series()),
    "3 classes": lambda: (
        net(3, "softmax", "sparse_categorical_crossentropy"),
        inputs(),
        classes(),
    ),
    "3 one-hot classes": lambda: (
        net(3, "softmax", "categorical_crossentropy"),
        inputs(),
        np.eye(3)[classes()],
    ),
    "200 classes": lambda: (
        net(200, "softmax", "sparse_categorical_crossentropy"),
        inputs(400),
        classes(200, 400),
    ),
    "multi-label": lambda: (
        net(3, "sigmoid", "binary_crossentropy"),
        inputs(),
        (inputs(64, 3, 5) > 1).astype("float32"),
    ),
    "targets of std 1": regression,
    "targets of std 10": lambda: regression(10),
    "targets of mean 40": lambda: regression(15, 40),
    "targets in [0, 1]": lambda: regression(0.3, 0.5),
    "large targets, large rate": lambda: regression(
        100, 200, optimizer=keras.optimizers.Adam(0.1)
    ),
    "dict": lambda: (
        wide_and_deep(),
        {"a": inputs(), "b": inputs(features=2, seed=3)},
        binary(),
    ),
    "segmentation": segmentation,
    "weighted": lambda: (
        net(1, "sigmoid", "binary_crossentropy"),
        inputs(),
        binary(),
        np.linspace(0.5, 2, 64),
    ),
    "without targets": lambda: (
        net(1, "sigmoid", "binary_crossentropy"),
        inputs(),
    ),
    "neither loss nor targets": lambda: (net(), inputs()),
    "not compiled": lambda: (net(), inputs(), inputs(features=1)),
    "five samples": lambda: (
        net(1, "sigmoid", "binary_crossentropy"),
        inputs(5),
        np.zeros(5),
    ),
}


@pytest.mark.parametrize("variant", HEALTHY)
def test_nothing_is_found_in_a_healthy_model(variant):
    assert findings(*HEALTHY[variant]()) == {}
