"""Arguments out of range get an error with the way out."""

import pytest

import keras_trainfix as kt
from tests.metrics.helpers import METRICS, message


@pytest.mark.parametrize("metric_class", [*METRICS, kt.BoundaryIoU])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"num_classes": 1}, "`num_classes` must be an integer, 2 or more"),
        ({"num_classes": 2.0}, "num_classes=2.0"),
        ({"num_classes": True}, "One sigmoid unit has two classes"),
        ({"ignore_class": (0, 1, 2)}, "must leave at least one class"),
        ({"ignore_class": 0.5}, "32-bit integer"),
        ({"threshold": 0}, "`threshold` must be a probability"),
        ({"threshold": 1.0, "from_logits": True}, "even with from_logits=True"),
        ({"axis": None}, "`axis` must be an integer"),
        ({"class_names": ["a", "b"]}, "3 different names"),
        ({"class_names": ["a", "b", "b"]}, "3 different names"),
        ({"class_names": "abc"}, "3 different names"),
    ],
)
def test_arguments_out_of_range(metric_class, options, expected):
    assert expected in message(lambda: metric_class(**{"num_classes": 3, **options}))


@pytest.mark.parametrize(
    "metric_class", [kt.MeanIoU, kt.DiceScore, kt.PixelAccuracy, kt.BoundaryIoU]
)
def test_the_background_is_not_the_only_class(metric_class):
    options = {"ignore_class": (255, 1), "include_background": False}
    text = message(lambda: metric_class(2, **options))
    assert "`include_background=False` must leave at least one class" in text
    assert metric_class(2, include_background=False).num_classes == 2


def test_with_multi_label_one_class_is_enough():
    assert kt.MeanIoU(1, multi_label=True).num_classes == 1
    text = message(lambda: kt.MeanIoU(0, multi_label=True))
    assert "`num_classes` must be an integer, 1 or more" in text
