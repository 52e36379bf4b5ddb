"""Training that was cut short is found, and a finished one is not."""

import numpy as np
import pytest
from keras import optimizers

from keras_trainfix.diagnosis.checks.optimization.too_few_steps import described_skill
from keras_trainfix.diagnosis.diagnose import diagnose
from tests.diagnosis.checks.optimization.cases import (
    X,
    Y,
    above_note,
    mlp,
    trained,
)


def test_a_training_that_was_cut_short():
    model = mlp(optimizers.Adam(1e-3), (64, 64))
    model.fit(X, Y, epochs=3, verbose=0)
    diagnosis = diagnose(model, X, Y)
    assert above_note(diagnosis) == []
    finding = next(f for f in diagnosis.findings if f.code == "KTF410")
    assert finding.evidence["iterations"] == 12
    assert finding.evidence["gain"] > 0
    assert f"{finding.evidence['gain']:.1%}" in finding.message
    assert "KTF410" not in diagnose(trained(), X, Y).codes


def test_steps_that_are_no_continuation():
    """The model has learned other targets: more steps were not what it lacked."""
    model = mlp(optimizers.Adam(1e-3), (64, 64))
    model.fit(X, np.random.default_rng(0).permutation(Y), epochs=150, verbose=0)
    diagnosis = diagnose(model, X, Y)
    assert "KTF410" not in diagnosis.codes
    far = next(f for f in diagnosis.findings if f.code == "KTF507")
    assert far.severity == "error"
    assert "did fit get the same" in far.message
    short = mlp(optimizers.Adam(1e-3), (64, 64))
    short.fit(X, Y, epochs=3, verbose=0)
    assert "KTF410" in diagnose(short, X, Y).codes


def test_a_skill_below_zero_is_no_share():
    model = mlp(optimizers.Adam(1e-3), (64, 64))
    model.fit(X, Y - 1.5, epochs=3, verbose=0)
    diagnosis = diagnose(model, X, Y - 1.5)
    finding = next(f for f in diagnosis.findings if f.code == "KTF410")
    assert finding.evidence["skill"] < 0
    assert "worse than the best constant (skill -" in finding.message
    assert "-" not in finding.message.replace("skill -", "")


@pytest.mark.parametrize("skill", [0.0, 0.49])
def test_a_skill_above_zero_is_a_share(skill):
    assert f"{skill:.0%} of the way" in described_skill(skill)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"initial_epoch": 12, "epochs": 8}, "initial_epoch=12 and ends at epochs=8"),
        ({"initial_epoch": 8, "epochs": 12}, None),
        ({"epochs": 12}, None),
    ],
)
def test_a_fit_without_a_step(settings, words):
    model = mlp(optimizers.Adam(1e-3), (64, 64))
    diagnosis = diagnose(model, X, Y, fit=False, **settings)
    found = [f for f in diagnosis.findings if f.code == "KTF410"]
    assert [f.severity for f in found] == (["error"] if words else [])
    if words:
        assert words in found[0].message
        assert "epochs=20" in found[0].fix


@pytest.mark.parametrize(("batches", "epochs"), [(100, 20), (4, 20), (100, 1)])
def test_gradients_that_are_collected_for_too_long(batches, epochs):
    """20 epochs have 80 batches; the default of one epoch tells nothing."""
    optimizer = optimizers.Adam(1e-2, gradient_accumulation_steps=batches)
    diagnosis = diagnose(mlp(optimizer, (64, 64)), X, Y, epochs=epochs)
    found = [f for f in diagnosis.findings if f.code == "KTF410"]
    assert bool(found) == (batches == 100 and epochs == 20)
    if found:
        assert found[0].severity == "error"
        assert "gradients of 100 batches, and `fit` has 80" in found[0].message
    assert above_note(diagnosis) == ["KTF410"] * len(found)
