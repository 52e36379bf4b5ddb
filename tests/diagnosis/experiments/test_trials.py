"""Which treatments are tried, and which of them is the cure."""

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.budget import Deadline
from keras_trainfix.diagnosis.experiments.trials import experiment
from keras_trainfix.diagnosis.findings import Finding
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.experiments.benches import compiled, mlp, table

X, Y = table()


def of_means(y_true, y_pred):
    return keras.ops.square(keras.ops.mean(y_true) - keras.ops.mean(y_pred))


def findings(*codes):
    return [Finding(code, "", "error", {}, "", "", "") for code in codes]


@pytest.mark.usefixtures("whole_bench")
def test_a_model_that_learns_is_left_alone():
    found = experiment(Snapshot(compiled(mlp(), rate=0.05), X, Y), (), False)
    assert found.learns
    assert found.tried == []


def test_only_the_treatments_of_a_fact_are_tried():
    model = compiled(mlp(), of_means)
    found = experiment(Snapshot(model, X, Y), findings("KTF111"), True)
    assert {one.treatment.name for one in found.tried} == {"targets-standardized"}


def test_no_other_rate_makes_up_for_a_schedule_that_ends():
    model = mlp()
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 1, 0.5)
    model.compile(keras.optimizers.Adam(schedule), "mse")
    found = experiment(Snapshot(model, X, Y), findings("KTF402"), True)
    assert list(found.controls) == [1.0]
    assert {one.treatment.name for one in found.tried} == {"no-schedule"}


def test_what_there_is_no_time_for_is_named():
    model = compiled(mlp(), of_means)
    found = experiment(Snapshot(model, X, Y), (), False, Deadline(0.0))
    assert "standard-loss" in found.left_out
    assert found.tried == []


@pytest.mark.backend_only("torch", reason="elsewhere the step sees no values")
def test_a_loss_that_raises_on_answers_that_are_not_finite():
    def raises_on_nan(y_true, y_pred):
        if not np.isfinite(keras.ops.convert_to_numpy(y_pred)).all():
            raise RuntimeError("not finite")
        return keras.ops.mean(keras.ops.square(y_true - y_pred))

    middle = [keras.layers.Dense(16, "exponential") for _ in range(8)]
    model = mlp(*middle, activation="exponential")
    model.compile("adam", raises_on_nan, run_eagerly=True)
    found = experiment(Snapshot(model, X, Y), findings("KTF409"), True)
    assert not np.isfinite(found.control.skill)
    assert found.best_cure().gain > 0.5


@pytest.mark.parametrize(
    ("targets", "head", "is_on_scale"),
    [(Y, None, True), (Y > 0, None, False), (Y > 0, "sigmoid", True)],
)
def test_a_distance_to_a_label_is_on_no_scale(targets, head, is_on_scale):
    model = mlp(keras.layers.Dense(1, head)) if head is None else mlp()
    if head is not None:
        model = keras.Sequential([*model.layers, keras.layers.Activation(head)])
    compiled(model)
    found = experiment(Snapshot(model, X, targets.astype("float32")), (), True)
    assert found.is_on_scale == is_on_scale


@pytest.mark.parametrize(("activation", "is_slow"), [("relu", True), (None, False)])
def test_more_steps_tell_the_slow_from_the_faulty(monkeypatch, activation, is_slow):
    """A linear model explains a fifth of the wave, however long it is trained."""
    monkeypatch.setattr("keras_trainfix.diagnosis.experiments.bench.STEPS", 32)
    x = np.random.default_rng(3).normal(size=(900, 10)).astype("float32")
    y = np.sin(2 * x[:, :1]) + x[:, 1:2] / 4
    hidden = keras.layers.Dense(32, activation)
    model = mlp(hidden, features=10, width=32, activation=activation)
    model.compile(keras.optimizers.SGD(0.003, momentum=0.9), "mse")
    found = experiment(Snapshot(model, x, y), (), False)
    assert 0.1 < found.control.value < 0.4
    assert (found.longer.value > 0.4) == is_slow
    assert found.learns == is_slow
    assert bool(found.tried) != is_slow


@pytest.mark.usefixtures("whole_bench")
def test_a_model_that_learns_no_more_than_its_few_samples():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(128, 20)).astype("float32")
    y = np.sin(2 * x[:, :1]) + x[:, 1:2] / 2
    found = experiment(
        Snapshot(compiled(mlp(features=20, width=64), rate=0.03), x, y), (), False
    )
    assert found.memorizes
    assert found.control.value < 0.4
    small = experiment(Snapshot(compiled(mlp(width=1)), X, rng.permuted(Y)), (), False)
    assert not small.memorizes
