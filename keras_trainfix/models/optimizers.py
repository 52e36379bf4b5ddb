"""Optimizers: the learning rate, copies, and what they have learned."""

import itertools
import math

from keras.optimizers.schedules import LearningRateSchedule

from keras_trainfix.backend import to_numpy
from keras_trainfix.keras_internals import rate_or_schedule

FEW = 16  # steps: fewer are not enough, whatever the rate


def rate_of(optimizer):
    """The present learning rate."""
    return float(to_numpy(optimizer.learning_rate))


def schedule_of(optimizer):
    """The `LearningRateSchedule` of an optimizer, or None."""
    rate = rate_or_schedule(inner_of(optimizer))
    return rate if isinstance(rate, LearningRateSchedule) else None


def rate_to_come(optimizer):
    """The present learning rate, or a higher one to which a schedule warms up."""
    rate, schedule = rate_of(optimizer), schedule_of(optimizer)
    if schedule is None:
        return rate
    now = int(to_numpy(optimizer.iterations))
    later = (float(to_numpy(schedule(now + ahead))) for ahead in (1, 10, 100, 1000))
    return max(rate, *later)


def steps_of_schedule(optimizer):
    """How many steps at the present rate all steps to come are worth, at most.

    Infinity where the rate is a number, or where a schedule warms up.
    """
    schedule, rate = schedule_of(optimizer), rate_of(optimizer)
    if schedule is None or not rate:
        return math.inf
    now = int(to_numpy(optimizer.iterations))
    # Later ones matter less: every 16th, then every 32nd, and so on.
    ahead = [*range(FEW), *(FEW * 2**n for n in range(12))]
    rates = [float(to_numpy(schedule(now + steps))) for steps in ahead]
    pairs = zip(itertools.pairwise(ahead), rates, strict=False)
    return sum((b - a) * later for (a, b), later in pairs) / rate


def inner_of(optimizer):
    """The optimizer within one that scales the loss."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def state_of(optimizer):
    """The variables without the learning rate, which is none where it is a schedule."""
    return [v for v in optimizer.variables if v.path.split("/")[-1] != "learning_rate"]


def copy_of(optimizer, variables, with_state):
    """A copy of an optimizer, with the present learning rate.

    Args:
        optimizer: `keras.Optimizer`.
        variables: List of the variables that it is for.
        with_state: Whether it goes on from where the optimizer is; else it is what
            that was before its first step.

    Returns:
        `keras.Optimizer`.
    """
    config = optimizer.get_config()
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        copy = type(optimizer)(copy_of(inner, variables, with_state))
    else:
        copy = type(optimizer).from_config({**config, "learning_rate": 0.5})
        copy.learning_rate = rate_of(optimizer)
    copy.build(variables)
    old, new = state_of(optimizer), state_of(copy)
    if with_state and len(old) == len(new):
        for variable, value in zip(new, old, strict=True):
            if variable.shape == value.shape:
                variable.assign(to_numpy(value))
    return copy
