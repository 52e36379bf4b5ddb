"""Learning rates, schedules and copies of optimizers."""

import math

import keras
import numpy as np
import pytest
from keras import optimizers
from keras.optimizers import schedules

from keras_trainfix.backend import to_numpy
from keras_trainfix.models.optimizers import (
    accumulation_of,
    copy_of,
    highest_rates,
    inner_of,
    rate_of,
    rate_to_come,
    schedule_of,
    state_of,
    steps_of_schedule,
)


def warmup():
    return schedules.CosineDecay(
        0.0, 1000, warmup_target=0.1, warmup_steps=100, alpha=0.0
    )


def decay():
    return schedules.ExponentialDecay(0.1, 100, 0.5)


def scaled(optimizer):
    return optimizers.LossScaleOptimizer(optimizer)


@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, scaled])
def test_the_rate_of_a_number_and_of_a_schedule(wrap):
    plain = wrap(optimizers.SGD(0.1))
    assert rate_of(plain) == rate_to_come(plain) == pytest.approx(0.1)
    assert schedule_of(plain) is None
    schedule = decay()
    decaying = wrap(optimizers.SGD(schedule))
    assert schedule_of(decaying) is schedule
    inner_of(decaying).iterations.assign(100)
    assert rate_of(inner_of(decaying)) == pytest.approx(0.05)


def test_a_schedule_that_warms_up_has_a_higher_rate_to_come():
    optimizer = optimizers.SGD(warmup())
    assert rate_of(optimizer) == 0
    assert rate_to_come(optimizer) == pytest.approx(0.1)
    decaying = optimizers.SGD(decay())
    assert rate_to_come(decaying) == rate_of(decaying)


def test_steps_of_schedule():
    assert steps_of_schedule(optimizers.SGD(0.1)) == math.inf
    assert steps_of_schedule(optimizers.SGD(warmup())) == math.inf
    rates = 0.5 ** (np.arange(100_000) / 100)  # of the first step
    steps = steps_of_schedule(optimizers.SGD(decay()))
    assert rates.sum() <= steps < 1.5 * rates.sum()
    short = optimizers.SGD(schedules.PiecewiseConstantDecay([4], [0.1, 0.0]))
    assert steps_of_schedule(short) == pytest.approx(5)


class OwnSchedule(schedules.LearningRateSchedule):
    """A schedule as users write it: without `get_config`."""

    def __call__(self, step):
        return 0.1 / (1 + keras.ops.cast(step, "float32"))


@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, scaled])
@pytest.mark.parametrize("rate", [0.1, decay(), OwnSchedule()])
@pytest.mark.parametrize("with_state", [False, True])
def test_copies(wrap, rate, with_state):
    weight = keras.Variable([1.0, 2.0])
    optimizer = wrap(optimizers.Adam(rate, beta_1=0.7))
    optimizer.build([weight])
    for _ in range(3):
        gradient = keras.ops.convert_to_tensor([1.0, -1.0])
        inner_of(optimizer).apply([gradient], [weight])
    copy = copy_of(optimizer, [weight], with_state)
    assert type(copy) is type(optimizer)
    assert inner_of(copy) is not inner_of(optimizer)
    assert inner_of(copy).beta_1 == 0.7
    assert rate_of(inner_of(copy)) == pytest.approx(rate_of(inner_of(optimizer)))
    assert int(to_numpy(inner_of(copy).iterations)) == (3 if with_state else 0)
    pairs = zip(state_of(inner_of(copy)), state_of(inner_of(optimizer)), strict=True)
    same = [np.array_equal(to_numpy(a), to_numpy(b)) for a, b in pairs]
    assert all(same) if with_state else not any(same)


def test_the_state_is_without_the_rate():
    names = [v.path.split("/")[-1] for v in optimizers.SGD(0.1).variables]
    assert "learning_rate" in names
    assert [v.path.split("/")[-1] for v in state_of(optimizers.SGD(0.1))] == [
        name for name in names if name != "learning_rate"
    ]


def test_the_highest_rates_of_a_warmup():
    within, whole = highest_rates(warmup(), 11)
    assert (within, whole) == pytest.approx((0.01, 0.1), rel=0.1)
    assert highest_rates(warmup(), 400) == pytest.approx((0.1, 0.1), rel=0.1)
    first, all_of_it = highest_rates(decay(), 10)
    assert first == all_of_it == pytest.approx(0.1)


@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, scaled])
def test_how_many_batches_go_into_a_step(wrap):
    assert accumulation_of(wrap(optimizers.SGD(gradient_accumulation_steps=4))) == 4
    assert accumulation_of(wrap(optimizers.SGD())) == 1
