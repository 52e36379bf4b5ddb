"""Moving averages that a training keeps: of statistics, and of the weights."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras

from keras_trainfix.backend import to_numpy
from keras_trainfix.models.batch_statistics import (
    call_on_batch,
    layers_by_batch,
    observed,
)
from keras_trainfix.models.optimizers import inner_of


class WeightAverage(NamedTuple):
    """The average that replaces the weights.

    Attributes:
        momentum: Float.
        every: Integer, the steps after which it replaces them; None for the end of
            the training.
    """

    momentum: float
    every: int | None


def average_of_weights(optimizer: keras.Optimizer | None) -> WeightAverage | None:
    """The `WeightAverage` of an optimizer with `use_ema`; None for others.

    Examples:
        >>> average_of_weights(keras.optimizers.SGD(use_ema=True, ema_momentum=0.9))
        WeightAverage(momentum=0.9, every=None)
    """
    if optimizer is None or not inner_of(optimizer).use_ema:
        return None
    inner = inner_of(optimizer)
    return WeightAverage(float(inner.ema_momentum), inner.ema_overwrite_frequency)


def momenta(model: keras.Model) -> dict[str, float]:
    """The momentum of each layer that normalizes with the statistics of the batch."""
    return {layer.path: float(layer.momentum) for layer in layers_by_batch(model)}


@contextlib.contextmanager
def with_averages_after(model: keras.Model, x: Any, steps: int) -> Iterator[None]:
    """While open, statistics are as so many steps with batches like `x` leave them.

    They began with the 0 and the 1 of a new layer. Weights stay as they are.

    Args:
        model: A built `keras.Model`.
        x: One batch of inputs.
        steps: Integer.
    """
    layers = layers_by_batch(model)
    with observed(layers, layers) as seen:
        call_on_batch(model, x, 0)
    moving = [v for one in layers for v in (one.moving_mean, one.moving_variance)]
    before = [to_numpy(variable) for variable in moving]
    for layer in layers:
        batch = seen.get(id(layer))
        if batch is not None:
            kept = layer.momentum**steps
            layer.moving_mean.assign((1 - kept) * batch.mean)
            layer.moving_variance.assign(kept + (1 - kept) * batch.variance)
    try:
        yield
    finally:
        for variable, value in zip(moving, before, strict=True):
            variable.assign(value)
