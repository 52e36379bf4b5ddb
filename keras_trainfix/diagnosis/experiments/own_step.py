"""Steps by the `train_step` of the user, with another optimizer."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_trainfix import backend
from keras_trainfix.keras_internals import (
    build_as_fit,
    lent,
    unbuilt_metrics_lent,
)


def optimizers_of(model: keras.Model) -> dict[str, keras.Optimizer]:
    """The optimizers of a model, by the names of its attributes.

    Args:
        model: A `keras.Model`; a GAN has several.
    """
    return {
        name: value
        for name, value in vars(model).items()
        if isinstance(value, keras.Optimizer)
    }


@contextlib.contextmanager
def with_optimizers(
    model: keras.Model, data: Any, **optimizers: keras.Optimizer
) -> Iterator[None]:
    """While open, the step of the user works with other optimizers.

    What it counts in its model, and keeps outside of Keras' variables, is put back.

    Args:
        model: A compiled `keras.Model`, `untouched`.
        data: What `fit` gives to the step, for JAX to build on.
        **optimizers: Each `keras.Optimizer`, built, by the name of the attribute.
    """
    with (
        unbuilt_metrics_lent(model),
        lent(model, **optimizers),
        _counters(model),
        backend.kept_by_user(model),
    ):
        if keras.backend.backend() == "jax":
            build_as_fit(model, data)
        yield


@contextlib.contextmanager
def _counters(model: keras.Model) -> Iterator[None]:
    """Puts back the plain numbers that a step of the user counts in its model."""
    before = _numbers_of(model)
    try:
        yield
    finally:
        for name in _numbers_of(model).keys() - before.keys():
            del vars(model)[name]
        vars(model).update(before)


def _numbers_of(model: keras.Model) -> dict[str, float]:
    kinds = (bool, int, float)
    return {name: v for name, v in vars(model).items() if isinstance(v, kinds)}
