"""Data, nets and a judgment by all checks of data: for their tests."""

import json

import keras
import numpy as np
from keras import layers

from keras_trainfix.diagnosis.registry import CHECKS
from tests.diagnosis.nets import inputs, judge, view

CODES = [code for code in CHECKS if code.startswith("KTF1") and code < "KTF13"]


def findings(model, x, y=None, sample_weight=None, **fit):
    """What all checks of data find: a dict of codes to findings."""
    return all_findings(view(model, x, y, sample_weight, **fit))


def all_findings(one):
    """What all checks of data find for an `OutputView`."""
    found = [judge(code, one) for code in CODES]
    return {finding.code: finding for finding in found if finding}


def only(model, x, y=None, sample_weight=None, **fit):
    """The one finding, which JSON can hold."""
    found = findings(model, x, y, sample_weight, **fit)
    assert len(found) == 1, found
    finding = next(iter(found.values()))
    json.dumps(finding.to_dict())
    assert finding.message
    assert finding.fix
    return finding


def sequential(*parts, loss="binary_crossentropy"):
    model = keras.Sequential(parts)
    model.compile("adam", loss)
    return model


def binary(samples=64):
    return (np.random.default_rng(2).random(samples) > 0.5).astype("float32")


def classes(count=3, samples=64):
    return np.random.default_rng(2).integers(0, count, samples)


def images(low=0.0, high=1.0, size=8, samples=64):
    shape = (samples, size, size, 3)
    return np.random.default_rng(1).uniform(low, high, shape).astype("float32")


def conv_net(*first, activation="relu", bias=True, behind=()):
    return sequential(
        keras.Input((8, 8, 3)),
        *first,
        layers.Conv2D(8, 3, activation=activation, use_bias=bias),
        *behind,
        layers.Flatten(),
        layers.Dense(1, activation="sigmoid"),
    )


def mixed(scales):
    return inputs() * np.array(scales, "float32")


def wide_and_deep():
    a, b = keras.Input((6,), name="a"), keras.Input((2,), name="b")
    joined = layers.Concatenate()([a, b])
    y = layers.Dense(1, activation="sigmoid")(layers.Dense(8, "relu")(joined))
    model = keras.Model({"a": a, "b": b}, y)
    model.compile("adam", "binary_crossentropy")
    return model


def real(scale=1.0, offset=0.0, columns=1):
    x = inputs(128)
    y = np.tanh(x[:, :columns] + x[:, 1 : columns + 1]) * 1.5
    return x, (scale * y + offset).astype("float32")


def rare_masks(samples=16, size=16, side=2):
    rng = np.random.default_rng(1)
    x = rng.random((samples, size, size, 1)).astype("float32")
    y = np.zeros((samples, size, size), "int32")
    y[:, :side, :side] = 1
    return x, y


def mask_net(units=2, activation="softmax", loss=None):
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.Conv2D(units, 1, activation=activation),
        ]
    )
    model.compile("adam", loss or "sparse_categorical_crossentropy")
    return model


def word_net(**settings):
    return sequential(
        keras.Input((10,), **settings),
        layers.Embedding(50, 4),
        layers.Flatten(),
        layers.Dense(1, activation="sigmoid"),
    )


def ids(samples=64):
    return np.random.default_rng(1).integers(0, 50, (samples, 10))
