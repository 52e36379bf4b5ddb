"""Whether one `fit` continues another: many short ones are one training."""

import weakref
from dataclasses import replace
from typing import Any, NamedTuple

import keras

from keras_trainfix.backend import has_lost_weights, to_numpy
from keras_trainfix.callbacks.collapse.schedule import LONG_FIT, SHARE, State
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


class Watched(NamedTuple):
    """How far a training was watched, by whichever detector.

    Attributes:
        state: `State` at its end.
        begun_at: Integer, the step at which a detector last examined a beginning.
        price: Float, what that cost, in steps.
    """

    state: State
    begun_at: int
    price: float

    @property
    def is_due(self) -> bool:
        """Whether another detector may examine its beginning: a small share of it."""
        steps = self.state.step
        since = steps - self.begun_at
        return steps >= 2 * self.begun_at or since * SHARE >= self.price

    def after(self, steps: int) -> "Watched":
        """The same after more steps."""
        state = replace(self.state, step=self.state.step + steps)
        return self._replace(state=state)


# The last `fit` of each model, without references that would keep the model alive.
_WATCHED: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def keep_watched(fit: Fit, watched: Watched) -> None:
    """Notes how far a model was watched, for the next detector.

    Args:
        fit: `Fit` at the end.
        watched: `Watched`.
    """
    _WATCHED[fit.model] = (
        weakref.ref(fit.compilation),
        fit.trainable,
        fit.marks,
        watched,
    )


def find_watched(now: Fit, steps: int | None) -> Watched | None:
    """The training that a short `fit` continues with another detector, or None.

    Args:
        now: `Fit` at the beginning.
        steps: Integer, how many steps it will take; None if that is not known.
    """
    if steps is None or steps >= LONG_FIT or now.model not in _WATCHED:
        return None
    compilation, trainable, marks, watched = _WATCHED[now.model]
    last = Fit(now.model, compilation(), trainable, marks)
    is_one = is_same_training(last, now) and is_continued(last, now)
    return watched if is_one else None


def _marks(model):
    """The first row of the first, a middle and the last trainable weight."""
    if has_lost_weights(model):
        return None
    kernels = [v for v in model.trainable_variables if len(v.shape) and v.shape[0]]
    chosen = kernels[:: max(1, len(kernels) // FEW)][:FEW] + kernels[-1:]
    return tuple(to_numpy(kernel.value[0]).tobytes() for kernel in chosen)
