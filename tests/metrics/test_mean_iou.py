"""Mean IoU: the mean, the classes in it, and the names of the entries."""

import math

import numpy as np
import pytest

import keras_trainfix as kt
from tests.metrics.helpers import update


def test_the_mean_is_over_present_classes():
    metric = update([0, 0, 0, 1], [0, 0, 1, 1], num_classes=4)
    assert float(metric.result()) == pytest.approx((2 / 3 + 1 / 2) / 2, rel=1e-6)


def test_an_ignored_class_leaves_the_mean_and_the_false_positives():
    metric = update([0, 0, 1, 1, 2, 2], [1, 2, 1, 1, 2, 0], ignore_class=0)
    assert float(metric.result()) == 0.75


def test_nothing_to_count_is_nan():
    metric = kt.MeanIoU(3)
    assert math.isnan(metric.result())
    metric.update_state(np.full((2, 4), 255), np.zeros((2, 4, 3)))
    assert math.isnan(metric.result())


def test_a_perfect_prediction_is_exactly_1(rng):
    labels = rng.choice([0, 2, 255], (3, 5, 5))
    metric = kt.MeanIoU(4)
    metric.update_state(labels, np.eye(4)[np.where(labels == 255, 1, labels)])
    assert float(metric.result()) == 1


def test_without_the_background_its_pixels_are_still_errors():
    labels, ids = np.array([0, 0, 1, 1, 2]), np.array([1, 0, 1, 0, 2])
    metric = kt.MeanIoU(3, include_background=False, per_class=True)
    metric.update_state(labels, ids)
    result = {name: round(float(value), 4) for name, value in metric.result().items()}
    assert result == {"mean_iou": 0.6667, "iou/1": 0.3333, "iou/2": 1.0}
    assert metric.confusion_matrix().sum() == 5
    lines = metric.class_table().splitlines()
    assert [line.split()[1] for line in lines[2:]] == ["1", "2", "mean,"]
    assert lines[-1].split()[4] == "0.667"


def test_names_of_classes_and_of_the_metric():
    names = ["sky", "road"]
    metric = kt.MeanIoU(2, per_class=True, class_names=names)
    assert list(metric.result()) == ["mean_iou", "iou/sky", "iou/road"]
    metric = kt.MeanIoU(2, per_class=True, class_names=names, name="fine")
    assert list(metric.result()) == ["fine", "fine/sky", "fine/road"]
