"""What can be done for a collapsed model, without any `fit`."""

import keras
import numpy as np
import pytest
from keras import layers, regularizers
from keras.optimizers import schedules

from keras_trainfix.callbacks.collapse import remedies
from keras_trainfix.callbacks.collapse.remedies import (
    REMEDIES,
    Case,
    ScaledSchedule,
    find_remedy,
)
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.models.optimizers import rate_of
from tests.callbacks.collapse.nets import X, Y, diagnosis, skill


def net(optimizer, *hidden, regularizer=None):
    hidden = hidden or (layers.Dense(16, "relu"),)
    head = layers.Dense(1, kernel_regularizer=regularizer)
    model = keras.Sequential([keras.Input((4,)), *hidden, head])
    model.compile(optimizer, "mse")
    return model


def penalties_of(model):
    return float(keras.ops.convert_to_numpy(sum(model.losses)))


def sgd(rate, **settings):
    return keras.optimizers.SGD(rate, **settings)


# --- which remedy ---


@pytest.mark.parametrize(
    ("pairs", "name", "code"),
    [
        ([("KTF401", "error")], "slower", "KTF401"),
        ([("KTF403", "error"), ("KTF402", "error")], "slower", "KTF403"),
        ([("KTF402", "error")], "faster", "KTF402"),
        ([("KTF303", "error")], "unfreeze", "KTF303"),
        ([("KTF408", "warning")], "weaken_penalties", "KTF408"),
        ([("KTF301", "warning")], "freeze_statistics", "KTF301"),
        # A cause that needs another model or other data is left to the user, ...
        ([("KTF201", "error"), ("KTF403", "error")], None, None),
        # ... unless it is only a warning.
        ([("KTF201", "warning"), ("KTF403", "error")], "slower", "KTF403"),
        # A lower rate may help against symptoms.
        ([("KTF501", "error")], "slower", None),
        ([("KTF501", "error"), ("KTF402", "error")], "faster", "KTF402"),
        ([("KTF402", "note")], "slower", None),
        ([], "slower", None),
    ],
)
def test_the_mildest_remedy(pairs, name, code):
    remedy, finding = find_remedy(diagnosis(*pairs))
    assert remedy is (REMEDIES[name] if name else None)
    assert (finding and finding.code) == code


def test_each_remedy_of_a_check_is_known():
    named = {check.rescue for check in CHECKS.values() if check.rescue}
    assert named == set(REMEDIES)


# --- learning rates ---


@pytest.mark.parametrize(
    ("better", "expected"), [(0.02, 0.02), (None, 0.05), (2.0, 0.05)]
)
def test_a_lower_rate_and_clipped_gradients(better, expected):
    model = net(sgd(0.5))
    done = remedies.slower(Case(model, better, X))
    assert rate_of(model.optimizer) == pytest.approx(expected)
    assert model.optimizer.global_clipnorm == 1.0
    assert done == (
        f"learning rate 0.5 -> {expected:g}, gradients clipped to a norm of 1"
    )


def test_gradients_that_are_clipped_already_stay_so():
    model = net(sgd(0.5, clipvalue=3.0))
    assert "clipped" not in remedies.slower(Case(model, None, X))
    assert model.optimizer.clipvalue == 3.0
    assert model.optimizer.global_clipnorm is None


@pytest.mark.parametrize(
    ("better", "expected"), [(0.02, 0.02), (None, 0.1), (1e-4, 0.1)]
)
def test_a_higher_rate(better, expected):
    model = net(sgd(0.001))
    done = remedies.faster(Case(model, better, X))
    assert rate_of(model.optimizer) == pytest.approx(expected)
    assert done == f"learning rate 0.001 -> {expected:g}"


def test_a_schedule_that_ends_at_once_is_replaced():
    model = net(sgd(schedules.ExponentialDecay(0.02, 1, 0.5)))
    done = remedies.faster(Case(model, 5.0, X))
    assert done == "learning rate kept at 0.02, without a schedule"
    model.train_on_batch(X, Y)
    assert rate_of(model.optimizer) == pytest.approx(0.02)


def test_a_schedule_is_scaled():
    model = net(sgd(schedules.ExponentialDecay(10.0, 1, 0.5)))
    assert remedies.set_rate(model, 0.1) == "learning rate 10 -> 0.1"
    model.train_on_batch(X, Y)
    assert rate_of(model.optimizer) == pytest.approx(0.05)


def test_a_rate_of_zero_gets_the_default():
    model = net(sgd(0.0))
    assert remedies.set_rate(model, 0.0) == "learning rate 0 -> 0.001"


def test_steps_have_the_new_rate():
    """Compiled functions hold the old schedule."""
    steps = []
    for rate in (1.0, 0.5):
        model = net(sgd(schedules.ExponentialDecay(1e-3, 100, 1.0)), layers.Dense(4))
        model.set_weights([np.ones(w.shape) for w in model.get_weights()])
        model.train_on_batch(X[:8], Y[:8])
        remedies.set_rate(model, 1e-3 * rate)
        before = model.get_weights()
        model.train_on_batch(X[:8], Y[:8])
        steps.append(np.subtract(model.get_weights()[0], before[0]))
    np.testing.assert_allclose(steps[1], 0.5 * steps[0], rtol=1e-3)


# --- layers, penalties and statistics ---


def test_frozen_layers_are_trained_again():
    model = net(sgd(0.1))
    model.trainable = False
    model.compile(sgd(0.1), "mse")
    before = model.get_weights()
    done = REMEDIES["unfreeze"].apply(Case(model, None, X))
    assert done.endswith("frozen layers set to trainable")
    model.train_on_batch(X, Y)
    after = model.get_weights()
    assert not any(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_penalties_are_weakened():
    penalty = regularizers.L2(10.0)
    hidden = layers.Dense(16, "relu", kernel_regularizer=penalty)
    model = net(sgd(0.01), hidden, regularizer=penalty)
    before = penalties_of(model)
    done = REMEDIES["weaken_penalties"].apply(Case(model, None, X))
    assert done == "the penalties of 2 weights times 0.01"
    assert penalties_of(model) == pytest.approx(0.01 * before, rel=1e-3)
    assert rate_of(model.optimizer) == pytest.approx(0.01)


def test_without_penalties_the_rate_is_lowered():
    model = net(sgd(0.01))
    done = REMEDIES["weaken_penalties"].apply(Case(model, None, X))
    assert done.startswith("learning rate 0.01 -> 0.001")


@pytest.mark.parametrize("name", [None, "freeze_statistics"])
def test_statistics_are_recalibrated(name):
    scaled = 1000 * X + 5000
    norm = layers.BatchNormalization(momentum=0.999)
    model = net(sgd(0.01), norm)
    apply = REMEDIES[name].apply if name else remedies.recalibrate
    done = apply(Case(model, None, scaled))
    frozen = ", and its statistics frozen" if name else ""
    assert done == f"batch normalization recalibrated{frozen}"
    mean = keras.ops.convert_to_numpy(norm.moving_mean)
    np.testing.assert_allclose(mean, scaled.mean(0), rtol=1e-3)
    model.train_on_batch(0 * scaled, Y)
    moved = keras.ops.convert_to_numpy(norm.moving_mean)
    assert np.array_equal(moved, mean) == bool(name)


# --- from the beginning ---


def test_restart_is_before_the_first_step():
    model = net(keras.optimizers.Adam(0.01, use_ema=True))
    weights = model.get_weights()
    model.fit(X, Y, epochs=1, verbose=0)
    assert skill(model) != pytest.approx(skill(net_with(weights)), abs=1e-3)
    remedies.restart(model, weights)
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
