"""What a quick check makes of skill scores: a table."""

import numpy as np
import pytest

from keras_trainfix.callbacks.collapse.quick_check import judge
from keras_trainfix.diagnosis.measure.eval_pairs import EvalPairs
from keras_trainfix.diagnosis.measure.skill import score

Y = np.random.default_rng(0).normal(size=(200, 1))
IDS = np.arange(200) % 2
ROWS = np.eye(2)[IDS]


def numbers(scale=1.0, shift=0.0):
    """The score of predictions that are the targets, scaled and shifted."""
    return score(EvalPairs("regression", scale * Y + shift, Y))


def classes(sure):
    """The score of a classifier that gives the right class this probability."""
    return score(EvalPairs("classes", sure * ROWS + (1 - sure) * (1 - ROWS), ROWS))


ONE_CLASS = score(
    EvalPairs("classes", np.repeat([[0.9, 0.1]], 200, 0) + 1e-3 * Y * [1, -1], ROWS)
)


@pytest.mark.parametrize(
    ("scores", "steps", "suspicious", "lost"),
    [
        ([numbers()], 0, False, False),
        ([numbers()], 500, False, False),
        ([numbers(0.05)], 19, False, False),  # little variation is normal at first
        ([numbers(0.05)], 20, True, False),
        ([numbers(1e-4)], 0, True, False),  # none is never
        ([numbers(1e-4)], 20, True, True),
        ([numbers(1, 1.0)], 99, False, False),
        ([numbers(1, 1.0)], 100, True, True),  # skill is due
        ([numbers(1, 9.0)], 20, True, True),  # far worse than at the beginning
        ([classes(0.9)], 500, False, False),
        ([ONE_CLASS], 19, False, False),
        ([ONE_CLASS], 20, True, False),
        ([None], 500, False, False),
        ([None, numbers(0.05)], 20, True, False),
        ([numbers(), numbers(0.05)], 20, True, False),  # the worst output counts
    ],
)
def test_what_is_suspicious(scores, steps, suspicious, lost):
    check = judge(scores, False, steps, first_skill=0.0)
    assert (check.is_suspicious, check.is_lost) == (suspicious, lost)


def test_predictions_that_are_not_finite_are_suspicious_at_once():
    assert judge([None], True, 0).is_suspicious
    assert not judge([None], False, 0).is_suspicious


def test_the_worst_output_is_reported():
    check = judge([numbers(), numbers(0.5), None], False, 50)
    assert check.std_ratio == pytest.approx(0.5)
    assert check.skill == pytest.approx(0.75, abs=1e-3)


def test_samples_of_one_class_carry_no_information():
    one = score(EvalPairs("classes", ROWS[:100] * 0 + [1, 0], ROWS[:100] * 0 + [1, 0]))
    assert one.has_one_class
    check = judge([one], False, 500)
    assert np.isnan(check.skill)
    assert not check.is_suspicious
