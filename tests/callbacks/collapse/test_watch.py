"""What is seen of a model in training, and that seeing does not change it."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.callbacks.collapse import watch as module
from keras_trainfix.callbacks.collapse.watch import Watch
from keras_trainfix.diagnosis.observe.sample import Sample
from keras_trainfix.diagnosis.trial.result import NoTrial, Trial, TrialRun
from tests.callbacks.collapse.nets import (
    X,
    Y,
    dead_net,
    mlp,
    noisy_net,
    skill,
    solved_net,
)

RATE = 0.01


def trial_of(gains, dead=()):
    """A `Trial` whose runs, a dict of factors, gained these shares of the loss."""
    runs = {
        factor: TrialRun(factor, np.full(30, 1 - gain), 30, [], float(factor in dead))
        for factor, gain in gains.items()
    }
    return Trial(
        is_fresh=True,
        rate=RATE,
        batch=32,
        steps=30,
        start=1.0,
        penalty=0.0,
        spread=1.0,
        gradients=[],
        runs=runs,
        overfit=None,
    )


@pytest.fixture(scope="module")
def watch():
    return Watch(mlp(), Sample(X, Y))


class Calls(layers.Layer):
    """Counts its calls, in inference as well."""

    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.calls.assign(self.calls + 1)
        return inputs


# --- what a quick check sees ---


def test_a_quick_check_changes_nothing():
    model = keras.Sequential([noisy_net(), Calls()])
    model.compile("sgd", "mse")
    watch = Watch(model, Sample(X, Y))
    variables = [*model.variables, *model.optimizer.variables]
    before = [keras.ops.convert_to_numpy(v.value).copy() for v in variables]
    first, second = watch.quick_check(0), watch.quick_check(0)
    for variable, value in zip(variables, before, strict=True):
        now = keras.ops.convert_to_numpy(variable.value)
        np.testing.assert_array_equal(now, value)
    assert first.skill == second.skill == pytest.approx(skill(model), abs=1e-4)


def test_a_quick_check_sees_the_present_weights():
    model = solved_net()
    watch = Watch(model, Sample(X, Y))
    assert watch.beginning.skill == pytest.approx(1)
    model.set_weights([np.zeros((4, 1)), np.ones(1)])
    check = watch.quick_check(100)
    assert check.skill == pytest.approx(skill(model), abs=1e-3)
    assert check.is_lost
    model.set_weights([np.full((4, 1), np.nan), np.ones(1)])
    assert watch.quick_check(1).is_suspicious


@pytest.mark.parametrize(
    ("dead", "steps", "is_dying"),
    [
        (14, 8, True),
        (14, 9, False),  # later, more must be dead
        (15, 9, True),
        (15, 40, True),
        (15, 41, False),  # steps that were too long kill early
        (13, 8, False),
    ],
)
def test_units_that_have_just_died(dead, steps, is_dying):
    model = mlp()
    watch = Watch(model, Sample(X, Y))
    model.layers[0].bias.assign(np.where(np.arange(16) < dead, -50.0, 0.0))
    assert watch.quick_check(steps).is_dying == is_dying


def test_units_that_were_dead_before_are_not_dying():
    watch = Watch(dead_net(), Sample(X, Y))
    assert not watch.quick_check(8).is_dying


def test_a_model_that_has_skill_is_not_dying():
    model = mlp()
    watch = Watch(model, Sample(X, Y))
    model.layers[0].bias.assign(np.where(np.arange(16) < 15, -50.0, 0.0))
    first = np.eye(4, 16, 15)  # the last unit sees the first input alone
    last = 4 * np.eye(16)[:, -1:]
    model.set_weights([first, *model.get_weights()[1:2], last, np.full(1, -1.0)])
    assert watch.quick_check(8).skill > module.ALIVE
    assert not watch.quick_check(8).is_dying


def test_a_model_for_batches_of_one_size_gets_one_batch():
    inputs = keras.Input(batch_shape=(32, 5, 1))
    outputs = layers.Dense(1)(layers.SimpleRNN(8)(inputs))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    x = np.random.default_rng(1).normal(size=(64, 5, 1)).astype("float32")
    watch = Watch(model, Sample(x, x.sum(1)))
    assert len(watch.sample.x) == len(watch.first.sample.x) == 32
    assert np.isfinite(watch.quick_check(0).skill)


def test_large_samples_are_fewer_in_a_quick_check():
    model = keras.Sequential([keras.Input((32, 32, 1)), layers.Flatten()])
    model.add(layers.Dense(1))
    model.compile("sgd", "mse")
    x = np.random.default_rng(1).normal(size=(64, 32, 32, 1)).astype("float32")
    watch = Watch(model, Sample(x, x.mean((1, 2))))
    assert len(watch.first.sample.x) == module.FEW
    assert len(watch.sample.x) == 64
    assert len(watch.snapshot().sample.x) == 64


# --- what a diagnosis says ---


@pytest.mark.parametrize(("build", "was_dead"), [(dead_net, True), (mlp, False)])
def test_dead_weights_are_known_before_the_first_step(build, was_dead):
    watch = Watch(build(), Sample(X, Y))
    diagnosis = watch.examine_beginning()
    assert ("KTF403" in diagnosis.codes) == was_dead
    assert watch.was_dead == was_dead


def test_symptoms_are_found_without_a_trial():
    watch = Watch(dead_net(), Sample(X, Y))
    assert watch.symptoms(watch.snapshot()).codes == ["KTF403"]
    assert watch.trial is None


def test_a_diagnosis_with_a_trial_keeps_it():
    model = mlp(rate=10.0)
    watch = Watch(model, Sample(X, Y))
    initial = model.get_weights()
    diagnosis = watch.examine(watch.snapshot(), initial, trial=True)
    assert "KTF401" in diagnosis.codes
    assert watch.lower_rate() < 1
    assert not watch.does_no_harm
    assert all(map(np.array_equal, model.get_weights(), initial))


def test_a_model_that_has_ended_is_not_tried_from_its_present_weights():
    model = mlp()
    watch = Watch(model, Sample(X, Y))
    initial = model.get_weights()
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(5)
    model.set_weights([np.full_like(weight, np.nan) for weight in initial])
    diagnosis = watch.examine(watch.snapshot(), trial=True)
    assert "The initial weights are not known." in diagnosis.skipped.values()
    assert watch.trial is None
    watch.examine(watch.snapshot(), initial, trial=True)
    assert set(watch.trial.runs) <= set(module.ENDED_FACTORS)


# --- rates that a trial suggests ---


@pytest.mark.parametrize(
    ("gains", "is_first", "factor"),
    [
        ({1: -1, 0.1: 0.5, 0.01: 0.6}, True, 0.1),  # nearly as good, and higher
        ({1: -1, 0.1: 0.1, 0.01: 0.6}, True, 0.01),
        ({1: 0.1, 0.1: 0.5}, True, 0.1),
        ({1: 0.1, 0.1: 0.5}, False, 0.1**0.5),  # the second time, nearer
        ({1: -1, 0.1: 0.5}, False, 0.1),
        ({1: -1, 0.1: -0.5, 0.01: -0.2}, True, 1e-3),  # even the lowest did harm
        ({1: -1}, True, None),
    ],
)
def test_lower_rates(watch, gains, is_first, factor):
    watch.trial = trial_of(gains)
    rate = watch.lower_rate(is_first)
    assert rate == (None if factor is None else pytest.approx(RATE * factor))


@pytest.mark.parametrize(
    ("gains", "factor"),
    [
        ({1: 0.1, 10: 0.5, 100: -3}, 10),
        ({1: 0.5, 10: 0.1}, None),
        ({1: -0.5, 10: -0.1}, None),
    ],
)
def test_higher_rates(watch, gains, factor):
    watch.trial = trial_of(gains)
    rate = watch.higher_rate()
    assert rate == (None if factor is None else pytest.approx(RATE * factor))


def test_without_a_trial_there_is_no_other_rate(watch):
    watch.trial = trial_of({1: 0.0, 0.1: 0.5, 10: 0.7})
    rates = watch.lower_rate(), watch.higher_rate()
    assert (watch.does_no_harm, *rates) == (True, RATE * 0.1, RATE * 10)
    watch.trial = None
    rates = watch.lower_rate(), watch.higher_rate()
    assert (watch.does_no_harm, *rates) == (False, None, None)


@pytest.mark.parametrize(
    ("gains", "dead", "factor"),
    [
        ({1: 0.0, 10: 0.1, 100: 0.5}, (), 100),
        ({1: 0.0, 10: 0.1, 100: 0.5}, (100,), 10),  # it kills units
        ({1: 0.05, 10: 0.5}, (), None),  # the present rate makes progress
        ({1: 0.0, 10: 0.01}, (), None),  # so little is chance
        ({1: 0.0, 10: float("nan")}, (), None),
    ],
)
def test_tuned_rates(watch, monkeypatch, gains, dead, factor):
    monkeypatch.setattr(module, "try_steps", lambda *_, **__: trial_of(gains, dead))
    rate = watch.tuned_rate()
    assert rate == (None if factor is None else pytest.approx(RATE * factor))


def test_a_trial_that_fails_tunes_no_rate(watch, monkeypatch):
    def fail(*_, **__):
        raise NoTrial("no")

    trial = trial_of({1: 0.0, 10: 1.0})
    monkeypatch.setattr(module, "try_steps", lambda *_, **__: trial)
    assert watch.tuned_rate() == pytest.approx(10 * RATE)
    monkeypatch.setattr(module, "try_steps", fail)
    assert watch.tuned_rate() is None
