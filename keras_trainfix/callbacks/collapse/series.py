"""Whether one `fit` continues another: many short ones are one training."""

from typing import Any, NamedTuple

import keras

from keras_trainfix.backend import has_lost_weights, to_numpy
from keras_trainfix.keras_internals import compilation

FEW = 3  # weights that are looked at


class Fit(NamedTuple):
    """What is kept of a `fit` to recognize the next one.

    Attributes:
        model: The model.
        compilation: What its last call of `compile` left.
        trainable: Tuple of the ids of the trainable variables.
        marks: Bytes of a few weights, or None if they cannot be read.
    """

    model: Any
    compilation: Any
    trainable: tuple[int, ...]
    marks: tuple[bytes, ...] | None


def fit_of(model: keras.Model) -> Fit:
    """The `Fit` of a model as it is now."""
    trainable = tuple(map(id, model.trainable_variables))
    return Fit(model, compilation(model), trainable, _marks(model))


def is_same_training(last: Fit | None, now: Fit) -> bool:
    """Whether model and compilation are those of the last `fit`.

    Args:
        last: `Fit` at the end of the last one; None without one.
        now: `Fit` at the beginning of this one.
    """
    return (
        last is not None
        and last.model is now.model
        and last.compilation is now.compilation
        and last.trainable == now.trainable
    )


def is_continued(last: Fit | None, now: Fit) -> bool:
    """Whether the weights are also those of the end of the last `fit`.

    Args:
        last: `Fit` at the end of the last one; None without one.
        now: `Fit` at the beginning of this one.
    """
    if last is None or last.marks is None:
        return False
    return last.marks == now.marks


def _marks(model):
    """The first row of the first, a middle and the last trainable weight."""
    if has_lost_weights(model):
        return None
    kernels = [v for v in model.trainable_variables if len(v.shape) and v.shape[0]]
    chosen = kernels[:: max(1, len(kernels) // FEW)][:FEW] + kernels[-1:]
    return tuple(to_numpy(kernel.value[0]).tobytes() for kernel in chosen)
