"""Small nets for the tests of checks: a head, a loss, and data that fit, or do not."""

import inspect
from dataclasses import fields

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.fit_arguments import FitArguments
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.snapshot import Snapshot

SPARSE = keras.losses.SparseCategoricalCrossentropy
needs_class_axis = pytest.mark.skipif(
    "axis" not in inspect.signature(SPARSE).parameters,
    reason="in older Keras sparse labels have their classes last",
)


def inputs(samples=64, features=6, seed=1):
    """Standard normal inputs `(samples, features)`."""
    shape = (samples, features)
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def net(units=1, activation=None, loss=None, hidden=16, shape=(6,), **settings):
    """A dense net of one hidden layer, compiled if a loss is given."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Dense(hidden, activation="relu"),
            keras.layers.Dense(units, activation=activation),
        ]
    )
    if loss is not None:
        model.compile(settings.pop("optimizer", "adam"), loss, **settings)
    return model


def view(model, x, y=None, sample_weight=None, output=0, **fit):
    """A `OutputView` of one output; `fit` are arguments of `FitArguments`."""
    given = FitArguments(**fit)
    return Snapshot(model, x, y, sample_weight, fit=given).views()[output]


def view_of_names(names):
    """The `OutputView` of a namespace with what `fit` gets, by the names there."""
    fit = {f.name: names[f.name] for f in fields(FitArguments) if f.name in names}
    weights = names.get("sample_weight")
    return view(names["model"], names["x"], names["y"], weights, **fit)


def judge(code, view):
    """The finding of one check for an output, or for the model it belongs to."""
    check = CHECKS[code]
    return check.run(view if check.scope == "output" else view.snapshot)
