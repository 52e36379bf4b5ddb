"""Data, nets, and a judgment by all checks of heads, losses and labels."""

import json

import keras
import numpy as np
from keras import layers

from keras_trainfix.diagnosis.registry import CHECKS
from tests.diagnosis.nets import inputs, view

CODES = [
    *("KTF201", "KTF202", "KTF203", "KTF204", "KTF205", "KTF206", "KTF207"),
    *("KTF121", "KTF122", "KTF123", "KTF124"),
]
SCCE, CCE, BCE = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
)
X = inputs()
REAL = 3 * X.sum(1, keepdims=True)
BINARY = (X.sum(1, keepdims=True) > 0).astype("float32")
IDS = np.arange(64) % 3
ONE_HOT = np.eye(3, dtype="float32")[IDS]
IMAGES = np.random.default_rng(1).normal(size=(16, 8, 8, 3)).astype("float32")
MASKS = (IMAGES[..., :1] > 0).astype("float32")
CLASSES = IMAGES.argmax(-1)
SERIES = IMAGES[:, 0]
TAGS = np.eye(3)[SERIES.argmax(-1)]


def findings(model, x, y, sample_weight=None, output=0):
    """What the checks of heads and of labels find: a dict of codes to findings."""
    one = view(model, x, y, sample_weight, output)
    found = [finding for code in CODES if (finding := CHECKS[code].run(one))]
    for finding in found:
        json.dumps(finding.to_dict())
        assert finding.message
        assert finding.fix
    return {finding.code: finding for finding in found}


def assert_only(code, severity, case):
    """A case has one finding, and its fix is code after which it has none."""
    model, x, y = case
    found = findings(model, x, y)
    assert list(found) == [code]
    assert found[code].severity == severity
    assert found[code].evidence
    scope = {"model": model, "x": x, "y": y, "keras": keras, "np": np}
    exec(compile(found[code].fix, f"the fix of {code}", "exec"), scope)
    is_code = any(line[0] != "#" for line in found[code].fix.splitlines())
    left = findings(scope["model"], scope["x"], scope["y"])
    assert code not in left or not is_code, (found[code].fix, left)
    return found[code]


def codes(*args, **kwargs):
    return sorted(findings(*args, **kwargs))


def layered(*head, loss, shape=(6,), **settings):
    model = keras.Sequential([keras.Input(shape), *head])
    model.compile("adam", loss, **settings)
    return model


def conv(units, activation, loss, **settings):
    head = layers.Conv2D(units, 3, padding="same", activation=activation)
    return layered(head, loss=loss, shape=(8, 8, 3), **settings)


def tagger(activation, loss):
    head = layers.TimeDistributed(layers.Dense(3, activation=activation))
    return layered(head, loss=loss, shape=(8, 3))


def functional(units, activation, loss):
    x = keras.Input((6,))
    y = layers.Dense(units)(layers.Dense(8, activation="relu")(x))
    y = layers.Activation(activation)(y)
    model = keras.Model(x, y)
    model.compile("adam", loss)
    return model


def without_layer(activation, loss):
    x = keras.Input((6,))
    model = keras.Model(x, activation(layers.Dense(3)(x)))
    model.compile("adam", loss)
    return model


def logits(name):
    return getattr(keras.losses, name)(from_logits=True)


def sparse(**settings):
    return keras.losses.SparseCategoricalCrossentropy(**settings)
