"""Learning rates and copies of optimizers."""

import itertools
import math
from collections.abc import Callable

import keras
import numpy as np
from keras.optimizers.schedules import LearningRateSchedule

from keras_trainfix.backend import to_numpy
from keras_trainfix.keras_internals import optimizer_config, rate_or_schedule

NEGLIGIBLE = 1e-3  # of the first learning rate
POINTS = 17  # at which a schedule is read
FEW = 16  # steps: fewer are not enough, whatever the rate


def rate_of(optimizer: keras.Optimizer) -> float:
    """The present learning rate."""
    return float(to_numpy(optimizer.learning_rate))


def schedule_of(optimizer: keras.Optimizer) -> LearningRateSchedule | None:
    """The `LearningRateSchedule` of an optimizer, or None if its rate is a number."""
    rate = rate_or_schedule(inner_of(optimizer))
    return rate if isinstance(rate, LearningRateSchedule) else None


def rate_to_come(optimizer: keras.Optimizer) -> float:
    """The present learning rate, or a higher one that a schedule warms up to."""
    rate, schedule = rate_of(optimizer), schedule_of(optimizer)
    if schedule is None:
        return rate
    now = int(to_numpy(optimizer.iterations))
    later = (float(to_numpy(schedule(now + ahead))) for ahead in (1, 10, 100, 1000))
    return max(rate, *later)


def accumulation_of(optimizer: keras.Optimizer) -> int:
    """How many batches go into one step."""
    return getattr(inner_of(optimizer), "gradient_accumulation_steps", None) or 1


def highest_rates(schedule: LearningRateSchedule, steps: int) -> tuple[float, float]:
    """The highest learning rate of the first steps, and of the whole schedule.

    Args:
        schedule: `LearningRateSchedule`.
        steps: Integer, how many steps there are.

    Examples:
        >>> warmup = keras.optimizers.schedules.CosineDecay(
        ...     0.0, 9000, warmup_target=0.1, warmup_steps=1000
        ... )
        >>> within, whole = highest_rates(warmup, 11)
        >>> round(within, 3), round(whole, 1)
        (0.001, 0.1)
    """

    def highest(last: float) -> float:
        numbers = np.unique(np.linspace(0, last, POINTS).astype(int))
        return max(float(to_numpy(schedule(int(number)))) for number in numbers)

    within = highest(steps - 1)
    return within, max(within, *(highest(steps * 2.0**n) for n in range(1, 11)))


def steps_of_schedule(optimizer: keras.Optimizer) -> float:
    """The sum of all learning rates to come, divided by the present one.

    An upper bound if the schedule decays. Infinity if there is no schedule, or if the
    present rate is 0, as at the start of a warmup.
    """
    schedule, rate = schedule_of(optimizer), rate_of(optimizer)
    if schedule is None or not rate:
        return math.inf
    now = int(to_numpy(optimizer.iterations))
    # Later steps matter less: every 16th, then every 32nd, and so on.
    ahead = [*range(FEW), *(FEW * 2**n for n in range(12))]
    rates = [float(to_numpy(schedule(now + steps))) for steps in ahead]
    pairs = zip(itertools.pairwise(ahead), rates, strict=False)
    return sum((b - a) * later for (a, b), later in pairs) / rate


def rates_of_epochs(
    schedule: Callable[..., float], rate: float, epochs: range
) -> list[float]:
    """The learning rate of each epoch.

    Args:
        schedule: Function of the epoch, or of the epoch and the present rate, as
            `keras.callbacks.LearningRateScheduler` takes it.
        rate: Float, the learning rate before the first epoch.
        epochs: Range of the epochs.

    Examples:
        >>> rates_of_epochs(lambda epoch, rate: rate / 2, 0.4, range(3))
        [0.2, 0.1, 0.05]
    """
    rates: list[float] = []
    for epoch in epochs:
        try:
            rate = float(schedule(epoch, rate))
        except TypeError:  # of the epoch alone: Keras finds out in the same way
            rate = float(schedule(epoch))
        rates.append(rate)
    return rates


def worth_of_epochs(rates: list[float]) -> float:
    """The sum of the learning rates of all epochs, divided by that of the first.

    Args:
        rates: List of the learning rate of each epoch.

    Returns:
        Float; 0 if all rates are 0. Infinity if only the first is, as in a warmup, and
        if most of the training is at a rate that is not negligible.

    Examples:
        >>> worth_of_epochs([0.1 * 0**epoch for epoch in range(20)])
        1.0
        >>> worth_of_epochs([0.1 * 0.95**epoch for epoch in range(20)])
        inf
    """
    if not any(rates):
        return 0.0
    if not rates[0] or max(rates[len(rates) // 2 :]) > NEGLIGIBLE * rates[0]:
        return math.inf
    return sum(rates) / rates[0]


def inner_of(optimizer: keras.Optimizer) -> keras.Optimizer:
    """The optimizer inside a `LossScaleOptimizer`; any other optimizer itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def state_of(optimizer: keras.Optimizer) -> list[keras.Variable]:
    """The variables except the learning rate, which only some optimizers have."""
    return [v for v in optimizer.variables if v.path.split("/")[-1] != "learning_rate"]


def copy_of(
    optimizer: keras.Optimizer, variables: list[keras.Variable], with_state: bool
) -> keras.Optimizer:
    """A copy of an optimizer, with the present learning rate.

    Args:
        optimizer: `keras.Optimizer`.
        variables: List of the `keras.Variable` that the copy is built for.
        with_state: Boolean, whether the copy continues from the present state of the
            optimizer; else it is in the state before the first step.

    Returns:
        `keras.Optimizer`.

    Examples:
        >>> weight = keras.Variable([1.0])
        >>> copy = copy_of(keras.optimizers.SGD(0.5), [weight], with_state=False)
        >>> type(copy).__name__, rate_of(copy)
        ('SGD', 0.5)
    """
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        copy = type(optimizer)(copy_of(inner, variables, with_state))
    else:
        config = optimizer_config(optimizer)
        copy = type(optimizer).from_config({**config, "learning_rate": 0.5})
        copy.learning_rate = rate_of(optimizer)
    copy.build(variables)
    old, new = state_of(optimizer), state_of(copy)
    if with_state and len(old) == len(new):
        for variable, value in zip(new, old, strict=True):
            if variable.shape == value.shape:
                variable.assign(to_numpy(value))
    return copy
