"""Pixel accuracy: over pixels, over classes, and the names of the entries."""

import math

import numpy as np
import pytest

import keras_trainfix as kt
from tests.metrics.helpers import message


@pytest.mark.parametrize(
    ("average", "expected"), [("micro", 3 / 4), ("macro", (2 / 3 + 1) / 2)]
)
def test_the_mean_over_pixels_or_over_present_classes(average, expected):
    metric = kt.PixelAccuracy(4, average=average)
    assert math.isnan(metric.result())
    metric.update_state(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("average", "expected"), [("micro", 2 / 3), ("macro", (1 / 2 + 1) / 2)]
)
def test_without_the_background_only_pixels_of_other_classes_count(average, expected):
    metric = kt.PixelAccuracy(3, average=average, include_background=False)
    metric.update_state(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 0, 2]))
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_per_class_shows_both_means(average):
    metric = kt.PixelAccuracy(
        2, average=average, per_class=True, class_names=["sky", "road"]
    )
    metric.update_state(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    result = {name: round(float(value), 3) for name, value in metric.result().items()}
    assert result == {
        "pixel_accuracy": 0.75,
        "mean_class_accuracy": 0.833,
        "accuracy/sky": 0.667,
        "accuracy/road": 1.0,
    }


def test_entries_have_the_name_of_the_metric():
    metric = kt.PixelAccuracy(2, per_class=True, name="fine")
    assert list(metric.result()) == ["fine", "fine/mean_class", "fine/0", "fine/1"]


def test_an_unknown_average():
    text = message(lambda: kt.PixelAccuracy(3, average="weighted"))
    assert "'micro' (over pixels) or 'macro' (over classes)" in text
