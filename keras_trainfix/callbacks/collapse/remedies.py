"""What can be done for a collapsed model in the middle of `fit`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras.optimizers import schedules

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.experiments.mended import InPlace
from keras_trainfix.diagnosis.findings import Cure, Diagnosis, Finding
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.messages import count
from keras_trainfix.models.batch_norm_layers import all_layers
from keras_trainfix.models.compiled import forget_compiled_functions
from keras_trainfix.models.freeze import freeze_batch_norm
from keras_trainfix.models.optimizers import (
    FEW,
    copy_of,
    inner_of,
    rate_of,
    schedule_of,
    state_of,
    steps_of_schedule,
)
from keras_trainfix.models.recalibrate import recalibrate_batch_norm

SLOWER = 0.1
FASTER = 100.0
WEAKER = 0.01
CLIP = 1.0
DEFAULT_RATE = 1e-3  # where the rate is 0


class Case(NamedTuple):
    """What a remedy needs to know.

    Attributes:
        model: The compiled `keras.Model`.
        rate: A learning rate that would be better, or None.
        x: Inputs of the samples.
    """

    model: keras.Model
    rate: float | None
    x: Any


class Remedy(NamedTuple):
    """What to do about a cause.

    Attributes:
        apply: Function of a `Case`, which returns a description of what it did.
        keeps_weights: Whether to continue from the present weights, because they are
            good and something else is wrong.
        fits_fresh_weights: Whether it may be applied before the first step.
    """

    apply: Callable
    keeps_weights: bool = False
    fits_fresh_weights: bool = False


def find_remedy(diagnosis: Diagnosis) -> tuple[Any, Finding | None]:
    """The mildest remedy for the first cause that has one.

    Args:
        diagnosis: `Diagnosis`.

    Returns:
        `(remedy, finding)`: a `Remedy`, and the `Finding` it is for. The finding is
        None if none has a remedy of its own; a lower rate may help even so. Both are
        None if the first cause needs another model or other data.
    """
    findings = [f for f in diagnosis.findings if f.severity != "note"]
    checks = [CHECKS[finding.code] for finding in findings]
    is_left = checks and not checks[0].rescue and not checks[0].is_symptom
    if is_left and findings[0].severity == "error":
        return None, None
    for finding, check in zip(findings, checks, strict=True):
        if check.rescue:
            return REMEDIES[check.rescue], finding
    return REMEDIES["slower"], None


def treated_by(cure: Cure) -> Remedy:
    """The remedy that makes the change of a `Cure` in the model itself.

    Args:
        cure: `Cure` that `can_be_made_in_place`.
    """

    def apply(case: Case) -> str:
        mended = InPlace(case.model)
        assert cure.mend is not None
        cure.mend(mended)
        inner = inner_of(case.model.optimizer)
        for name, value in mended.settings.items():
            setattr(inner, name, value)
        forget_compiled_functions([case.model])
        done = cure.words
        if cure.factor != 1:
            rate = rate_of(case.model.optimizer) * cure.factor
            done += f", {set_rate(case.model, rate)}"
        return done

    return Remedy(apply)


def slower(case: Case) -> str:
    """Lowers the learning rate and clips gradients."""
    optimizer = inner_of(case.model.optimizer)
    rate = rate_of(optimizer)
    lower = case.rate if case.rate and case.rate < rate else rate * SLOWER
    done = set_rate(case.model, lower)
    names = ("clipnorm", "global_clipnorm", "clipvalue")
    if not any(getattr(optimizer, name, None) for name in names):
        optimizer.global_clipnorm = CLIP
        forget_compiled_functions([case.model])
        done += f", gradients clipped to a norm of {CLIP:g}"
    return done


def faster(case: Case) -> str:
    """Raises the learning rate, or keeps it where a schedule ends at once."""
    optimizer = inner_of(case.model.optimizer)
    rate = rate_of(optimizer)
    if steps_of_schedule(optimizer) < FEW:
        optimizer.learning_rate = schedules.PiecewiseConstantDecay([1], [rate, rate])
        forget_compiled_functions([case.model])
        return f"learning rate kept at {rate:.3g}, without a schedule"
    higher = case.rate if case.rate and case.rate > rate else rate * FASTER
    return set_rate(case.model, higher)


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


def recalibrate(case: Case) -> str:
    """Sets the statistics of batch normalization to those of the samples."""
    recalibrate_batch_norm(case.model, case.x)
    return "batch normalization recalibrated"


def _freeze_statistics(case: Case) -> str:
    done = recalibrate(case)
    freeze_batch_norm(case.model)
    return f"{done}, and its statistics frozen"


def _unfreeze(case: Case) -> str:
    model = case.model
    frozen = [layer for layer in all_layers(model) if not layer.trainable]
    for layer in frozen:
        layer.trainable = True
    variables = model.trainable_variables
    model.optimizer = copy_of(model.optimizer, variables, with_state=False)
    forget_compiled_functions([model])
    return f"{count(len(frozen), 'frozen layer')} set to trainable"


def _weaken_penalties(case: Case) -> str:
    model = case.model
    weakened = 0
    for variable in model.trainable_variables:
        regularizer = getattr(variable, "regularizer", None)
        if regularizer is None:
            continue
        config = regularizer.get_config()
        numbers = {k: v * WEAKER for k, v in config.items() if isinstance(v, float)}
        variable.regularizer = type(regularizer).from_config({**config, **numbers})
        weakened += 1
    if not weakened:  # it is dropout, which belongs to the model
        return slower(case)
    forget_compiled_functions([model])
    return f"the penalties of {count(weakened, 'weight')} times {WEAKER:g}"


def restart(model: keras.Model, weights: list) -> None:
    """Sets the weights, and resets the optimizer to its state before the first step."""
    model.set_weights(weights)
    optimizer = model.optimizer
    fresh = copy_of(optimizer, model.trainable_variables, with_state=False)
    for variable, value in zip(state_of(optimizer), state_of(fresh), strict=True):
        variable.assign(to_numpy(value))


# By the names that the records of the checks use.
REMEDIES = {
    "slower": Remedy(slower),
    "faster": Remedy(faster, keeps_weights=True, fits_fresh_weights=True),
    "unfreeze": Remedy(_unfreeze, keeps_weights=True, fits_fresh_weights=True),
    "freeze_statistics": Remedy(_freeze_statistics, keeps_weights=True),
    "weaken_penalties": Remedy(_weaken_penalties),
}
