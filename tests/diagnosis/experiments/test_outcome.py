"""Gains are counted by the measure that both runs have."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.outcome import Outcome, gain, task_skill
from keras_trainfix.diagnosis.measure.eval_pairs import EvalPairs
from keras_trainfix.diagnosis.measure.skill import score

NAN = float("nan")


def outcome(skill, loss_skill=NAN):
    return Outcome(skill, loss_skill, NAN, np.zeros(1))


@pytest.mark.parametrize(
    ("treated", "control", "expected"),
    [
        (outcome(0.8), outcome(0.1), 0.7),
        (outcome(0.8, 0.0), outcome(0.1, 0.9), 0.7),
        (outcome(NAN, 0.5), outcome(NAN, 0.1), 0.4),
        (outcome(-50.0), outcome(-1e6), 0.0),
        (outcome(0.5), outcome(NAN), 1.5),  # the control diverges
        (outcome(-1.0, 0.9), outcome(-1.0, -0.1), 1.0),  # distances
    ],
)
def test_gain(treated, control, expected):
    assert gain(treated, control) == pytest.approx(expected)


def test_without_any_measure_there_is_no_gain():
    assert gain(outcome(NAN), outcome(NAN)) == 0
    assert gain(outcome(NAN), outcome(0.5)) == -1.5


def test_the_half_shows_the_climb():
    assert Outcome(0.5, NAN, 0.2, np.zeros(1)).climb == pytest.approx(0.3)


def test_ranks_count_beside_hard_answers():
    targets = np.eye(2)[[0] * 6 + [1] * 6]
    ranks_only = np.linspace(0.1, 0.4, 12)  # all below one half
    scores = np.stack([1 - ranks_only, ranks_only], 1)
    assert task_skill([score(EvalPairs("classes", scores, targets))]) == 0.5
    assert task_skill([score(EvalPairs("classes", targets, targets))]) == 1.0


def test_numbers_are_cut_off_below():
    y = np.arange(10.0)[:, None]
    assert task_skill([score(EvalPairs("regression", y, y))]) == 1.0
    assert task_skill([score(EvalPairs("regression", 100 * y, y))]) == -1.0
    assert np.isnan(task_skill([None]))
