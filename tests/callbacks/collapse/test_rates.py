"""The learning rate of a model that trains, without any `fit`."""

import keras
import numpy as np
import pytest
from keras import layers
from keras.optimizers import schedules

from keras_trainfix.callbacks.collapse import rates
from keras_trainfix.callbacks.collapse.rates import ScaledSchedule
from keras_trainfix.models.optimizers import rate_of
from tests.callbacks.collapse.nets import X, Y, skill


def net(optimizer, *hidden):
    hidden = hidden or (layers.Dense(16, "relu"),)
    model = keras.Sequential([keras.Input((4,)), *hidden, layers.Dense(1)])
    model.compile(optimizer, "mse")
    return model


def sgd(rate, **settings):
    return keras.optimizers.SGD(rate, **settings)


# --- learning rates ---


@pytest.mark.parametrize(
    ("better", "expected"), [(0.02, 0.02), (None, 0.05), (2.0, 0.05)]
)
def test_a_lower_rate(better, expected):
    model = net(sgd(0.5))
    done = rates.lower_rate(model, better)
    assert rate_of(model.optimizer) == pytest.approx(expected)
    assert done == f"learning rate 0.5 -> {expected:g}"


@pytest.mark.parametrize(
    ("better", "expected"), [(0.02, 0.02), (None, 0.1), (1e-4, 0.1)]
)
def test_a_higher_rate(better, expected):
    model = net(sgd(0.001))
    done = rates.raise_rate(model, better)
    assert rate_of(model.optimizer) == pytest.approx(expected)
    assert done == f"learning rate 0.001 -> {expected:g}"


def test_a_schedule_is_scaled():
    model = net(sgd(schedules.ExponentialDecay(10.0, 1, 0.5)))
    assert rates.set_rate(model, 0.1) == "learning rate 10 -> 0.1"
    model.train_on_batch(X, Y)
    assert rate_of(model.optimizer) == pytest.approx(0.05)


def test_a_rate_of_zero_gets_the_default():
    model = net(sgd(0.0))
    assert rates.set_rate(model, 0.0) == "learning rate 0 -> 0.001"


def test_steps_have_the_new_rate():
    """Compiled functions hold the old schedule."""
    steps = []
    for rate in (1.0, 0.5):
        model = net(sgd(schedules.ExponentialDecay(1e-3, 100, 1.0)), layers.Dense(4))
        model.set_weights([np.ones(w.shape) for w in model.get_weights()])
        model.train_on_batch(X[:8], Y[:8])
        rates.set_rate(model, 1e-3 * rate)
        before = model.get_weights()
        model.train_on_batch(X[:8], Y[:8])
        steps.append(np.subtract(model.get_weights()[0], before[0]))
    np.testing.assert_allclose(steps[1], 0.5 * steps[0], rtol=1e-3)


# --- from the beginning ---


def test_restart_is_before_the_first_step():
    model = net(keras.optimizers.Adam(0.01, use_ema=True))
    weights = model.get_weights()
    model.fit(X, Y, epochs=1, verbose=0)
    assert skill(model) != pytest.approx(skill(net_with(weights)), abs=1e-3)
    rates.restart(model, weights)
    state = [keras.ops.convert_to_numpy(v.value) for v in model.optimizer.variables]
    fresh = net_with(weights)
    fresh.optimizer.build(fresh.trainable_variables)
    expected = [keras.ops.convert_to_numpy(v.value) for v in fresh.optimizer.variables]
    for a, b in zip(state, expected, strict=True):
        np.testing.assert_allclose(a, b)
    assert all(map(np.array_equal, model.get_weights(), weights))


def net_with(weights):
    model = net(keras.optimizers.Adam(0.01, use_ema=True))
    model.set_weights(weights)
    return model


def test_a_scaled_schedule_is_a_schedule():
    schedule = ScaledSchedule(schedules.ExponentialDecay(1.0, 10, 0.5), 0.1)
    assert float(schedule(10)) == pytest.approx(0.05)
    config = keras.saving.serialize_keras_object(schedule)
    assert config["registered_name"] == "keras_trainfix>ScaledSchedule"
    again = keras.saving.deserialize_keras_object(config)
    assert float(again(10)) == pytest.approx(0.05)
    assert ScaledSchedule.from_config(schedule.get_config()).factor == 0.1
