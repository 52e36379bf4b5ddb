"""Sets the learning rate of a running `fit`, and starts it again."""

from typing import Any

import keras
from keras.optimizers import schedules

from keras_trainfix.backend import to_numpy
from keras_trainfix.models.compiled import forget_compiled_functions
from keras_trainfix.models.optimizers import (
    copy_of,
    inner_of,
    rate_of,
    schedule_of,
    state_of,
)

SLOWER = 0.1
FASTER = 100.0
DEFAULT_RATE = 1e-3  # where the rate is 0


def lower_rate(model: keras.Model, better: float | None) -> str:
    """Lowers the learning rate; returns a description.

    Args:
        model: The compiled `keras.Model`.
        better: Float, a rate that would be better, or None.
    """
    rate = rate_of(model.optimizer)
    return set_rate(model, better if better and better < rate else rate * SLOWER)


def raise_rate(model: keras.Model, better: float | None) -> str:
    """Raises the learning rate; returns a description.

    Args:
        model: The compiled `keras.Model`.
        better: Float, a rate that would be better, or None.
    """
    rate = rate_of(model.optimizer)
    return set_rate(model, better if better and better > rate else rate * FASTER)


def set_rate(model: keras.Model, new: float) -> str:
    """Sets the learning rate, scaling a schedule to it; returns a description."""
    optimizer = inner_of(model.optimizer)
    rate = rate_of(optimizer)
    schedule = schedule_of(optimizer)
    if schedule is not None:
        factor = new / rate if rate else 1.0
        optimizer.learning_rate = ScaledSchedule(schedule, factor)
        forget_compiled_functions([model])
    else:
        optimizer.learning_rate = new or DEFAULT_RATE
    return f"learning rate {rate:.3g} -> {rate_of(optimizer):.3g}"


@keras.saving.register_keras_serializable("keras_trainfix")
class ScaledSchedule(schedules.LearningRateSchedule):
    """A schedule times a factor.

    Args:
        schedule: `keras.optimizers.schedules.LearningRateSchedule`.
        factor: Float.
    """

    def __init__(self, schedule: schedules.LearningRateSchedule, factor: float):
        self.schedule = schedule
        self.factor = factor

    def __call__(self, step):
        return self.schedule(step) * self.factor

    def get_config(self) -> dict[str, Any]:
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "factor": self.factor}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ScaledSchedule":
        schedule = config["schedule"]
        if isinstance(schedule, dict):
            schedule = keras.saving.deserialize_keras_object(schedule)
        return cls(schedule, config["factor"])


def restart(model: keras.Model, weights: list) -> None:
    """Sets the weights, and resets the optimizer to its state before the first step."""
    model.set_weights(weights)
    optimizer = model.optimizer
    fresh = copy_of(optimizer, model.trainable_variables, with_state=False)
    for variable, value in zip(state_of(optimizer), state_of(fresh), strict=True):
        variable.assign(to_numpy(value))
