"""The confusion matrix as the result of a metric."""

import csv
import re

import keras
import numpy as np
import pytest

import keras_trainfix as kt
from tests.metrics.helpers import (
    COMPILED,
    LABELS,
    LOGITS,
    MATRIX,
    MODES,
    NAMES,
    X,
    check,
    compiled_net,
    net,
    updated,
)


@pytest.mark.parametrize("mode", [MODES["eager"], COMPILED], ids=["eager", "compiled"])
def test_a_confusion_matrix_fits_into_history_and_csv_logger(mode, tmp_path):
    model = compiled_net(net(), kt.ConfusionMatrix(3), **mode)
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = model.fit(
        X, LABELS, batch_size=4, epochs=2, callbacks=[logger], verbose=1
    ).history["confusion_matrix"]
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for matrix, row in zip(history, rows, strict=True):
        check({"confusion_matrix": matrix})
        numbers = re.findall(r"\d+", row["confusion_matrix"])
        assert [int(number) for number in numbers] == MATRIX.ravel().tolist()


def test_the_result_is_whole_until_a_weight_has_a_fraction():
    metric = updated(kt.ConfusionMatrix(3))
    assert np.asarray(metric.result()).dtype == "int64"
    metric.update_state(LABELS, LOGITS, np.full(len(LABELS), 0.5, "float32"))
    result = np.asarray(metric.result())
    assert result.dtype == "float64"
    np.testing.assert_array_equal(result, 1.5 * MATRIX)


def test_the_markdown_has_the_counts_and_names():
    lines = updated(kt.ConfusionMatrix(3, class_names=NAMES)).to_markdown().splitlines()
    assert [name in lines[0] for name in NAMES] == [True] * 3
    for name, row, line in zip(NAMES, MATRIX, lines[2:], strict=True):
        assert line.split()[1::2] == [name, *map(str, row)]
