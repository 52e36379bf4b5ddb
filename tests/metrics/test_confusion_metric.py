"""What every metric with a confusion matrix can do with it."""

import importlib.util

import numpy as np
import pytest

import keras_trainfix as kt
from tests.metrics.helpers import (
    MATRIX,
    NAMES,
    check,
    every_metric,
    message,
    updated,
    value_of,
)


@every_metric
def test_a_loaded_matrix_replaces_the_counts(metric_class):
    metric = updated(metric_class(3))
    metric.load_confusion_matrix(2 * MATRIX.astype("int64"))
    check(value_of(metric), 2 * MATRIX)
    np.testing.assert_array_equal(metric.confusion_matrix(), 2 * MATRIX)


@pytest.mark.parametrize(
    ("matrix", "received"),
    [
        (np.ones((2, 3)), "matrix of shape (2, 3)"),
        (-np.ones((3, 3)), "matrix from -1.0 to -1.0"),
        (np.full((3, 3), np.nan), "matrix from nan to nan"),
        (np.full((3, 3), 2.0**56), "matrix from 7.205"),
    ],
)
def test_counts_that_cannot_be_loaded(matrix, received):
    metric = kt.MeanIoU(3)
    text = message(lambda: metric.load_confusion_matrix(matrix))
    assert "`matrix` must be counts of shape (3, 3), finite and 0 or more" in text
    assert received in text
    assert not metric.confusion_matrix().any()


def test_the_table_of_classes_is_that_of_the_function():
    metric = updated(kt.MeanIoU(3, ignore_class=(255, 1), class_names=NAMES))
    matrix = metric.confusion_matrix()
    assert metric.class_table() == kt.class_table(matrix, NAMES, ignore_class=(255, 1))
    assert "sky" in metric.class_table()
    assert "road |" not in metric.class_table()


@pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib"
)
def test_the_picture_is_that_of_the_function(tmp_path):
    metric = updated(kt.DiceScore(3, class_names=NAMES))
    figure = metric.plot(tmp_path / "matrix.png", normalize=False)
    assert (tmp_path / "matrix.png").stat().st_size
    expected = kt.save_confusion_plot(
        metric.confusion_matrix(), class_names=NAMES, normalize=False
    )
    texts, wanted = (
        [text.get_text() for text in one.axes[0].texts] for one in (figure, expected)
    )
    assert texts == wanted
