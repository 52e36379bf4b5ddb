"""Which treatments are tried, and which of them is the cure."""

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.budget import Deadline
from keras_trainfix.diagnosis.experiments.outcome import Outcome
from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS
from keras_trainfix.diagnosis.experiments.trials import Experiments, Tried, experiment
from keras_trainfix.diagnosis.findings import Finding
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.experiments.benches import compiled, mlp, table

X, Y = table()


def of_means(y_true, y_pred):
    return keras.ops.square(keras.ops.mean(y_true) - keras.ops.mean(y_pred))


def outcome(skill, loss_skill=float("nan"), half=0.0):
    return Outcome(skill, loss_skill, half, np.zeros(1))


def findings(*codes):
    return [Finding(code, "", "error", {}, "", "", "") for code in codes]


def tried(name, gained):
    treatment = TREATMENTS[name]
    return Tried(treatment, name, "", outcome(gained), gained, gained > 0.2)


def experiments(*rows, control=0.0):
    return Experiments({1.0: outcome(control)}, 0.0, tried=list(rows))


def test_the_smallest_of_equal_interventions_is_the_cure():
    found = experiments(
        tried("all-trainable", 0.9), tried("inputs-rescaled", 0.85), tried("gelu", 0.1)
    )
    assert found.cure.treatment.name == "inputs-rescaled"


def test_a_much_better_one_is_the_cure():
    found = experiments(tried("all-trainable", 0.9), tried("inputs-rescaled", 0.5))
    assert found.cure.treatment.name == "all-trainable"


def test_no_gain_is_no_cure():
    assert experiments(tried("gelu", 0.1)).cure is None


def test_a_proof_is_the_best_of_those_for_a_code():
    found = experiments(tried("relu", 0.3), tried("gelu", 0.5))
    assert found.proof_of("KTF404").treatment.name == "gelu"
    assert found.proof_of("KTF111") is None


@pytest.mark.parametrize(
    ("skill", "loss_skill", "start", "learns"),
    [
        (0.6, 0.0, 0.0, True),
        (0.1, 0.9, 0.0, False),
        (0.5, 0.0, 0.6, False),  # it falls
        (-1.0, 0.8, -1.0, True),  # a distance
    ],
)
def test_what_counts_as_learning(skill, loss_skill, start, learns):
    assert Experiments({1.0: outcome(skill, loss_skill)}, start).learns == learns


@pytest.mark.usefixtures("whole_bench")
def test_a_model_that_learns_is_left_alone():
    found = experiment(Snapshot(compiled(mlp(), rate=0.05), X, Y), (), False)
    assert found.learns
    assert found.tried == []


def test_only_the_treatments_of_a_fact_are_tried():
    model = compiled(mlp(), of_means)
    found = experiment(Snapshot(model, X, Y), findings("KTF111"), True)
    assert {one.treatment.name for one in found.tried} == {"targets-standardized"}


def test_what_there_is_no_time_for_is_named():
    model = compiled(mlp(), of_means)
    found = experiment(Snapshot(model, X, Y), (), False, Deadline(0.0))
    assert "standard-loss" in found.left_out
    assert found.tried == []


def test_a_copy_takes_the_best_and_a_proof_the_smallest():
    found = experiments(tried("all-trainable", 0.9), tried("inputs-rescaled", 0.8))
    assert found.cure.treatment.name == "inputs-rescaled"
    assert found.best_cure().treatment.name == "all-trainable"


@pytest.mark.usefixtures("whole_bench")
@pytest.mark.parametrize(("rate", "needs_both"), [(0.97, True), (0.0, False)])
def test_two_faults_take_two_treatments(rate, needs_both):
    x = X * np.array([1000, 1, 1, 1], "float32") + 5000
    middle = keras.layers.Dropout(rate, name="drop")
    model = compiled(mlp(middle, activation="tanh"))
    found = experiment(Snapshot(model, x, Y), findings("KTF101", "KTF408"), True)
    pairs = [one for one in found.tried if " and " in one.treatment.name]
    assert bool(pairs) == needs_both
    if needs_both:
        assert found.best_cure() in pairs
        assert "'drop'" in found.best_cure().words
        assert "standardized" in found.best_cure().words
        assert found.best_cure().mend is not None


def test_a_loss_that_raises_on_answers_that_are_not_finite():
    def raises_on_nan(y_true, y_pred):
        if not np.isfinite(keras.ops.convert_to_numpy(y_pred)).all():
            raise RuntimeError("not finite")
        return keras.ops.mean(keras.ops.square(y_true - y_pred))

    middle = [keras.layers.Dense(16, "exponential") for _ in range(8)]
    model = mlp(*middle, activation="exponential")
    model.compile("adam", raises_on_nan, run_eagerly=True)
    if keras.backend.backend() != "torch":
        pytest.skip("the step is compiled, and sees no values")
    found = experiment(Snapshot(model, X, Y), findings("KTF409"), True)
    assert not np.isfinite(found.control.skill)
    assert found.best_cure().gain > 0.5
