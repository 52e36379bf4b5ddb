"""Scores are those of exact fractions."""

import numpy as np
import pytest
from hypothesis import given

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from tests.metrics import reference
from tests.metrics.helpers import message, op_by_op, tensor
from tests.metrics.reference import cases

CLOSE = {"rtol": 1e-6, "atol": 0}


@given(case=cases())
def test_scores_are_those_of_exact_fractions(case):
    expected = reference.scores(case.matrix, case.ignored)
    options = {"ignore_class": case.ignored, "per_class": True}
    metrics = [kt.MeanIoU(5, **options), kt.DiceScore(5, **options)]
    metrics.append(kt.PixelAccuracy(5, **options))
    for metric in metrics:
        with op_by_op():
            metric.update_state(case.labels, case.scores)
        result = {name: float(value) for name, value in metric.result().items()}
        for name, value in result.items():
            kind, _, index = name.partition("/")
            wanted = expected[kind][int(index)] if index else expected[kind]
            np.testing.assert_allclose(value, wanted, **CLOSE)
        classes = [c for c in range(5) if c not in case.ignored]
        kind = metric.prefix
        assert [n for n in result if "/" in n] == [f"{kind}/{c}" for c in classes]
    for kind, function in {
        "iou": kt.iou_from_confusion,
        "dice": kt.dice_from_confusion,
        "accuracy": kt.accuracy_from_confusion,
    }.items():
        counts = case.matrix.astype("int64")
        exactly = function(counts, ignore_class=case.ignored)
        np.testing.assert_allclose(exactly, expected[kind], rtol=1e-12)
        roughly = function(tensor(counts), ignore_class=case.ignored)
        np.testing.assert_allclose(to_numpy(roughly), expected[kind], **CLOSE)


@pytest.mark.parametrize(
    "function",
    [kt.iou_from_confusion, kt.dice_from_confusion, kt.accuracy_from_confusion],
)
def test_a_matrix_that_is_not_square(function):
    assert "matrix of shape (2, 3)" in message(lambda: function(np.ones((2, 3))))


def test_tables_of_classes_that_do_not_exclude_each_other():
    tables = [[[5, 1], [1, 3]], [[9, 0], [0, 0]], [[2, 2], [4, 1]]]
    for function, expected in (
        (kt.iou_from_confusion, [3 / 5, np.nan, 1 / 7]),
        (kt.dice_from_confusion, [6 / 8, np.nan, 2 / 8]),
        (kt.accuracy_from_confusion, [3 / 4, np.nan, 1 / 5]),
    ):
        np.testing.assert_allclose(function(tables), expected, rtol=1e-12)
        np.testing.assert_allclose(to_numpy(function(tensor(tables))), expected, 1e-6)
        np.testing.assert_allclose(function(tables, ignore_class=0)[0], np.nan)
