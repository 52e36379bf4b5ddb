"""Findings get the proof of their treatment."""

import json

import keras
import numpy as np
import pytest

from keras_trainfix import diagnose
from keras_trainfix.diagnosis.experiments import bench
from tests.diagnosis.experiments.benches import compiled, mlp, table

X, Y = table()
PENALTY = keras.regularizers.L2(300.0)


@pytest.mark.usefixtures("whole_bench")
def test_a_finding_says_what_its_treatment_did():
    model = compiled(mlp(kernel_regularizer=PENALTY), rate=0.005)
    diagnosis = diagnose(model, X, Y)
    finding = next(f for f in diagnosis.findings if f.proof is not None)
    assert finding.proof.holds
    assert finding.proof.skill_with > finding.proof.skill_without + 0.2
    assert f"{finding.proof.steps} steps reach skill" in " ".join(str(finding).split())
    assert finding.to_dict()["proof"]["treatment"].startswith("the penalties on")
    json.dumps(diagnosis.to_dict(), allow_nan=False)


def test_a_sound_model_has_nothing_to_prove():
    diagnosis = diagnose(compiled(mlp(), rate=0.03), X, Y)
    assert diagnosis.ok
    assert all(finding.proof is None for finding in diagnosis.findings)


def test_without_a_trial_there_is_no_proof():
    diagnosis = diagnose(compiled(mlp(kernel_regularizer=PENALTY)), X, Y, fit=False)
    assert all(finding.proof is None for finding in diagnosis.findings)


def test_a_user_s_exception_is_named(monkeypatch):
    def broken(*_, **__):
        raise MemoryError("too large")

    monkeypatch.setattr(bench.Bench, "run", broken)
    model = compiled(mlp())
    before = model.get_weights()
    diagnosis = diagnose(model, X, Y)
    assert "MemoryError: too large" in diagnosis.skipped["treatments"]
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert isinstance(model.optimizer, keras.optimizers.Adam)


@pytest.mark.usefixtures("whole_bench")
@pytest.mark.parametrize("rare", [24, 200])
def test_what_rests_on_few_held_out_samples_of_a_class_says_so(rare):
    labels = (np.argsort(np.argsort(-X[:, 0])) < rare).astype("int32")
    model = mlp(kernel_regularizer=PENALTY)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    compiled(model, loss, rate=0.005)
    diagnosis = diagnose(model, X, labels)
    assert any(finding.proof is not None for finding in diagnosis.findings)
    said = any("few held-out samples" in line for line in diagnosis.remarks)
    assert said == (rare < 40)


@pytest.mark.usefixtures("whole_bench")
@pytest.mark.parametrize(("noise", "severity"), [(0.5, "note"), (1.6, "warning")])
def test_a_degree_that_makes_no_difference_is_a_note(noise, severity):
    x, _ = table(samples=2048)
    rng = np.random.default_rng(0)
    score = x[:, :2].sum(1) + noise * rng.normal(size=len(x))
    y = (score > np.quantile(score, 0.97)).astype("int32")
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    diagnosis = diagnose(compiled(mlp(), loss, rate=0.02), x, y)
    (finding,) = (f for f in diagnosis.findings if f.code == "KTF125")
    assert finding.severity == severity
    assert finding.proof.holds == (severity == "warning")
