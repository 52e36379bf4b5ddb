"""A loss that asks for other answers than the targets is an error, once."""

import pytest
from keras import ops

from keras_trainfix import diagnose
from tests.diagnosis.experiments.instruments.test_wanted_answers import (
    FAULTY,
    REAL,
    SOUND,
    X,
    net,
)
from tests.diagnosis.single import assert_page, run


@pytest.mark.parametrize("case", range(len(FAULTY)))
def test_the_message(case):
    units, activation, targets, loss = FAULTY[case]
    finding = run("KTF216", net(units, activation, loss), X, targets)
    assert finding.severity == "error"
    assert "fit the targets of 64 samples by" in finding.message


@pytest.mark.parametrize("case", range(len(SOUND)))
def test_sound_losses(case):
    units, activation, targets, loss = SOUND[case]
    assert run("KTF216", net(units, activation, loss), X, targets) is None


def test_a_loss_that_ignores_the_targets_has_its_own_code():
    def of_means(t, p):
        return (ops.mean(t) - ops.mean(p)) ** 2

    model = net(1, None, of_means)
    assert run("KTF216", model, X, REAL) is None
    assert run("KTF212", model, X, REAL)


def test_it_is_proven():
    diagnosis = diagnose(net(1, None, lambda t, p: -((t - p) ** 2)), X, REAL)
    first = diagnosis.findings[0]
    assert first.code == "KTF216"
    assert first.proof is not None


def test_the_page():
    assert_page("KTF216")
