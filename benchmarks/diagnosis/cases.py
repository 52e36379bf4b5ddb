"""Cases (data, net, loss and optimizer), and how to build, train and diagnose them."""

import contextlib
import functools
import inspect
import io
import warnings
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.diagnosis.diagnose import diagnose

SPARSE = "sparse_categorical_crossentropy"
CATEGORICAL = "categorical_crossentropy"
BINARY = "binary_crossentropy"


class Case(NamedTuple):
    """One training.

    Attributes:
        name: String.
        data: A source from `data`.
        net: A net from `nets`.
        loss: As for `compile`.
        optimizer: Function that creates one; None for a model that is not compiled.
        epochs: Number of epochs.
        batch: Batch size.
        metrics: As for `compile`.
        fit: Dict of further arguments of `fit`.
        prepare: Function of a model and a generator, called before `compile`.
        change: Function of the compiled model and the data, called before the first
            diagnosis.
        trained_on: Function of the targets and a generator: what `fit` gets instead.
    """

    name: str
    data: Callable
    net: Callable
    loss: Any
    optimizer: Callable | None
    epochs: int = 10
    batch: int = 32
    metrics: Any = None
    fit: dict | None = None
    prepare: Callable | None = None
    change: Callable | None = None
    trained_on: Callable | None = None


def optimizer(kind):
    """Returns a function of settings that returns a factory for one optimizer class."""
    return lambda *args, **settings: functools.partial(kind, *args, **settings)


adam = optimizer(keras.optimizers.Adam)
sgd = optimizer(keras.optimizers.SGD)
rmsprop = optimizer(keras.optimizers.RMSprop)
adagrad = optimizer(keras.optimizers.Adagrad)
adadelta = optimizer(keras.optimizers.Adadelta)
adamw = optimizer(keras.optimizers.AdamW)
nadam = optimizer(keras.optimizers.Nadam)


def decaying(rate, steps=100):
    """A factory for Adam with cosine decay."""
    return lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(rate, steps)
    )


def build(case, seed):
    """The compiled model and the `Data` of a case."""
    number = zlib.crc32(case.name.encode())
    rng = np.random.default_rng([seed, number])
    keras.utils.set_random_seed(int(rng.integers(2**31)))
    data = case.data(rng)
    model = case.net(_shapes(data.x), rng)
    if case.prepare:
        case.prepare(model, rng)
    if case.optimizer:
        model.compile(case.optimizer(), case.loss, metrics=case.metrics)
    if case.change:
        case.change(model, data)
    return model, data


def train(case, model, data, epochs):
    """Fits a model without showing warnings."""
    settings = {"epochs": epochs, "verbose": 0, **(case.fit or {})}
    if data.y is not None:
        rng = np.random.default_rng(1)
        y = case.trained_on(data.y, rng) if case.trained_on else data.y
        settings |= {"y": y, "batch_size": case.batch}
        settings |= {"sample_weight": data.sample_weight}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        model.fit(data.x, **settings)


def look(model, data, fit=True):
    """The `Diagnosis`, with a trial of a few steps if `fit`; prints nothing."""
    settings = dict(data.fit or {})
    if "fit" in inspect.signature(diagnose).parameters:
        settings["fit"] = fit
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(io.StringIO()):
            return diagnose(
                model, data.x, data.y, sample_weight=data.sample_weight, **settings
            )


def _shapes(x):
    if isinstance(x, keras.utils.PyDataset):
        x = x[0][0]
    if isinstance(x, list):
        return [part.shape[1:] for part in x]
    return x.shape[1:]
