"""Targets that fit only the other output are found by form, inputs or answers."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.exchanged_targets import (
    exchanged_targets,
    fit_of,
    inputs_of_outputs,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs

X = inputs(256)
REAL = 3 * X[:, :1] + 1
ON = (X[:, 1:2] > 0).astype("float32")
IDS = np.arange(256) % 3
BOX = X[:, :4]


def heads(*parts, losses, x=6):
    keras.utils.set_random_seed(1)
    given = keras.Input((x,))
    outputs = [part(given) for part in parts]
    model = keras.Model(given, outputs)
    model.compile("adam", list(losses))
    return model


def number(units=1):
    return layers.Dense(units)


def yes_or_no():
    return layers.Dense(1, "sigmoid")


def one_of(classes):
    return layers.Dense(classes, "softmax")


SPARSE = "sparse_categorical_crossentropy"
MIXED = {
    "numbers and labels": (
        lambda: heads(number(), yes_or_no(), losses=["mse", "binary_crossentropy"]),
        [REAL, ON],
    ),
    "numbers and ids": (
        lambda: heads(number(), one_of(3), losses=["mae", SPARSE]),
        [REAL, IDS],
    ),
    "classes of two sizes": (
        lambda: heads(one_of(3), one_of(7), losses=[SPARSE, SPARSE]),
        [IDS, np.arange(256) % 7],
    ),
    "boxes and a number": (
        lambda: heads(number(4), number(), losses=["mse", "mse"]),
        [BOX, REAL],
    ),
}


@pytest.mark.parametrize("name", MIXED)
def test_by_form(name):
    build, y = MIXED[name]
    assert exchanged_targets(Snapshot(build(), X, y)) is None
    assert exchanged_targets(Snapshot(build(), X, y[::-1])).how == "form"


def test_one_misfit_is_a_fault_of_its_own():
    model = heads(number(), yes_or_no(), losses=["mse", "binary_crossentropy"])
    scaled = [REAL, 255 * ON]
    assert exchanged_targets(Snapshot(model, X, scaled)) is None
    both = [ON * 0.5 + 0.1, REAL]
    assert exchanged_targets(Snapshot(model, X, both)) is None
    assert exchanged_targets(Snapshot(model, X, [ON, REAL])).how == "form"


def test_fit_of():
    model = heads(number(), one_of(3), losses=["mse", SPARSE])
    first, second = Snapshot(model, X, [REAL, IDS]).views()
    assert fit_of(first, REAL) == fit_of(second, IDS) == 2
    assert fit_of(first, ON) == fit_of(second, ON) == 1
    assert fit_of(second, REAL) == fit_of(second, IDS + 1) == 0


def test_by_answers():
    model = heads(number(), number(), losses=["mse", "mse"], x=2)
    x = X[:, :2]
    y = [x[:, :1], x[:, 1:]]
    for layer, kernel in zip(model.layers[1:], np.eye(2), strict=True):
        layer.kernel.assign(kernel[:, None])
    assert exchanged_targets(Snapshot(model, x, y[::-1])) is None
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(300)
    seen = exchanged_targets(Snapshot(model, x, y[::-1]))
    assert seen.how == "answers"
    assert min(seen.skills[2:]) > 0.9
    assert exchanged_targets(Snapshot(model, x, y)) is None


def branches():
    parts = [keras.Input((6,), name="left"), keras.Input((6,), name="right")]
    outputs = [
        layers.Dense(1, name=name)(layers.Dense(8, "relu")(part))
        for name, part in zip(("a", "b"), parts, strict=True)
    ]
    model = keras.Model(parts, outputs)
    model.compile("adam", "mse")
    return model


def test_by_what_the_outputs_see():
    left, right = inputs(256, seed=2), inputs(256, seed=3)
    y = [left[:, :1] - left[:, 1:2], right[:, :1] + right[:, 2:3]]
    snapshot = Snapshot(branches(), [left, right], y)
    names = list(snapshot.inputs)
    seen = inputs_of_outputs(snapshot)
    assert list(seen.values()) == [{names[0]}, {names[1]}]
    assert exchanged_targets(snapshot) is None
    faulty = exchanged_targets(Snapshot(branches(), [left, right], y[::-1]))
    assert faulty.how == "inputs"


def test_odd_targets():
    model = heads(number(), yes_or_no(), losses=["mse", "binary_crossentropy"])
    for y in (None, [REAL, np.array(["a"] * 256)], [REAL * np.nan, ON]):
        assert exchanged_targets(Snapshot(model, X, y)) is None
    assert exchanged_targets(Snapshot(model, X, [ON, REAL]))
