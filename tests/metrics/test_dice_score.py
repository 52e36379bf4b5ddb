"""The Dice score: the mean, and the names of the entries."""

import math

import numpy as np
import pytest

import keras_trainfix as kt


def test_the_mean_is_over_present_classes():
    metric = kt.DiceScore(4)
    assert math.isnan(metric.result())
    metric.update_state(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    assert float(metric.result()) == pytest.approx((4 / 5 + 2 / 3) / 2, rel=1e-6)


def test_without_the_background_one_sigmoid_unit_has_one_class():
    labels, probabilities = np.array([0, 0, 1, 1]), np.array([0.2, 0.6, 0.7, 0.9])
    metric = kt.DiceScore(2, include_background=False)
    metric.update_state(labels, probabilities)
    assert float(metric.result()) == pytest.approx(4 / 5, rel=1e-6)


def test_names_of_the_entries():
    metric = kt.DiceScore(3, per_class=True, ignore_class=(255, 1))
    assert list(metric.result()) == ["dice_score", "dice/0", "dice/2"]
    metric = kt.DiceScore(2, per_class=True, name="f1")
    assert list(metric.result()) == ["f1", "f1/0", "f1/1"]
