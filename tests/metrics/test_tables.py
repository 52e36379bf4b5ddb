# ruff: noqa: E501, RUF001 - tables are as wide as they are, and have another dash
"""Tables of a confusion matrix."""

import importlib.util
import re

import numpy as np
import pytest
from keras import ops

from keras_trainfix import class_table, confusion_table, save_confusion_plot
from keras_trainfix.backend import exact_tensor

pytestmark = pytest.mark.one_backend  # tables are NumPy; two tests take tensors

draws = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib"
)
EACH = pytest.mark.parametrize("table", [class_table, confusion_table])
ALL = pytest.mark.parametrize(
    "report",
    [class_table, confusion_table, pytest.param(save_confusion_plot, marks=draws)],
)


NAMES = ["sky", "road", "car", "bird"]


MATRIX = [[9000, 900, 100, 0], [0, 2000, 3, 0], [40, 50, 10, 0], [0, 0, 0, 0]]


CLASSES = """\
| class       |   IoU |  Dice | recall | precision | pixels |  share | mostly taken for |
| :---------- | ----: | ----: | -----: | --------: | -----: | -----: | :--------------- |
| car         | 0.049 | 0.094 |  0.100 |     0.088 |    100 |   0.8% | road (50%)       |
| road        | 0.677 | 0.808 |  0.999 |     0.678 |  2,003 |  16.5% | car (<1%)        |
| sky         | 0.896 | 0.945 |  0.900 |     0.996 | 10,000 |  82.6% | road (9%)        |
| bird        |     – |     – |      – |         – |      0 |   0.0% | –                |
| mean, total | 0.541 | 0.616 |  0.666 |     0.587 | 12,103 | 100.0% |                  |"""


COUNTS = """\
| label \\ predicted |   sky |  road | car | bird |
| :---------------- | ----: | ----: | --: | ---: |
| sky               | 9,000 |   900 | 100 |    0 |
| road              |     0 | 2,000 |   3 |    0 |
| car               |    40 |    50 |  10 |    0 |
| bird              |     0 |     0 |   0 |    0 |"""


def column(table, name):
    """The cells of one column, from top to bottom, without the header."""
    rows = [line[2:-2].split(" | ") for line in table.splitlines()]
    index = [cell.strip() for cell in rows[0]].index(name)
    return [row[index].strip() for row in rows[2:]]


def test_the_table_of_classes():
    assert class_table(MATRIX, NAMES) == CLASSES


def test_the_table_of_counts():
    assert confusion_table(MATRIX, NAMES) == COUNTS


TABLES = [[[5, 1], [1, 3]], [[9, 0], [0, 0]], [[2, 2], [4, 1]]]


MULTI_LABEL = """\
| class       |   IoU |  Dice | recall | precision | pixels | share |
| :---------- | ----: | ----: | -----: | --------: | -----: | ----: |
| car         | 0.143 | 0.250 |  0.200 |     0.333 |      5 | 55.6% |
| sky         | 0.600 | 0.750 |  0.750 |     0.750 |      4 | 40.0% |
| road        |     – |     – |      – |         – |      0 |  0.0% |
| mean, total | 0.371 | 0.500 |  0.475 |     0.542 |      9 |     – |"""


def test_the_tables_of_classes_that_do_not_exclude_each_other():
    assert class_table(TABLES, NAMES[:3]) == MULTI_LABEL
    lines = confusion_table(TABLES, NAMES[:3]).splitlines()
    assert lines[0].count("|") == 6
    assert "predicted only" in lines[0]
    assert lines[2].split()[1::2] == ["sky", "5", "1", "1", "3"]


def test_without_the_background_its_row_is_left_out():
    table = class_table(MATRIX, NAMES, include_background=False)
    assert "| sky " not in table
    assert column(table, "IoU") == ["0.049", "0.677", "–", "0.363"]
    assert column(table, "pixels") == ["100", "2,003", "0", "2,103"]


@draws
def test_classes_that_do_not_exclude_each_other_have_no_picture():
    with pytest.raises(
        ValueError, match=r"taken for each other.*\(3, 2, 2\).*class_tab"
    ):
        save_confusion_plot(TABLES)


@pytest.mark.every_backend
@pytest.mark.parametrize("dtype", ["int32", "float32", "bfloat16"])
def test_a_tensor_gives_what_a_list_gives(dtype):
    matrix = [[200, 3], [1, 16]]
    tensor = ops.cast(ops.convert_to_tensor(matrix), dtype)
    assert class_table(tensor) == class_table(matrix)
    assert confusion_table(tensor) == confusion_table(matrix)


@pytest.mark.every_backend
@pytest.mark.parametrize("make", [np.array, exact_tensor])
def test_large_counts_are_exact(make):
    matrix = make(np.array([[2**53, 1], [2, 2**53 - 1]]))
    assert column(confusion_table(matrix), "0") == [f"{2**53:,}", "2"]
    table = class_table(matrix)
    assert column(table, "pixels") == [*[f"{2**53 + 1:,}"] * 2, f"{2**54 + 2:,}"]
    assert column(table, "mostly taken for")[:2] == ["1 (<1%)", "0 (<1%)"]


def test_whole_floats_are_shown_as_integers():
    assert column(confusion_table([[1e6, 0.0], [3.0, 2.0]]), "0") == ["1,000,000", "3"]


def test_weights_are_shown_with_three_digits_of_the_largest():
    assert column(confusion_table([[1234.5, 0], [0.25, 1]]), "0") == ["1,234", "<1"]
    assert column(confusion_table([[12.75, 0], [0.01, 1]]), "0") == ["12.8", "<0.1"]
    assert column(class_table([[0.3, 0.25], [0, 0.125]]), "pixels") == [
        "0.125",
        "0.550",
        "0.675",
    ]


@EACH
def test_names_that_would_break_a_table(table):
    lines = table([[1, 0], [0, 1]], ["car | truck", "two\n lines"]).splitlines()
    assert lines[2].startswith(r"| car \| truck ")
    assert lines[3].startswith("| two lines ")
    assert len({len(line) for line in lines}) == 1


def test_classes_without_names_are_numbers():
    matrix = [[3, 1], [0, 1]]
    assert column(class_table(matrix), "class")[:2] == ["1", "0"]
    assert column(class_table(matrix), "mostly taken for")[1] == "1 (25%)"
    assert column(confusion_table(matrix), "label \\ predicted") == ["0", "1"]
    assert column(confusion_table(matrix), "1") == ["1", "1"]


def test_the_worst_classes_come_first_and_absent_ones_last():
    matrix = np.diag([5, 0, 5, 5, 0])
    matrix[0, 2], matrix[3, 2] = 3, 1  # class 2 has the lowest IoU
    assert column(class_table(matrix), "class")[:-1] == ["2", "0", "3", "1", "4"]


def test_equal_classes_keep_their_order():
    assert column(class_table(np.eye(3)), "class")[:3] == ["0", "1", "2"]


def test_a_class_that_is_predicted_and_not_labeled_has_iou_0():
    table = class_table([[2, 2], [0, 0]])
    assert column(table, "class") == ["1", "0", "mean, total"]
    assert column(table, "IoU") == ["0.000", "0.500", "0.250"]
    assert column(table, "recall") == ["–", "0.500", "0.500"]
    assert column(table, "precision") == ["0.000", "1.000", "0.500"]


def test_without_labels_there_are_no_scores():
    table = class_table([[0, 0], [0, 0]])
    for name in ("IoU", "Dice", "recall", "precision", "share"):
        assert column(table, name) == ["–"] * 3
    assert column(table, "pixels") == ["0"] * 3


def test_an_ignored_class_is_left_out_and_predictions_of_it_are_errors():
    matrix = [[6, 1, 3], [0, 10, 0], [0, 0, 100]]
    table = class_table(matrix, ["a", "b", "void"], ignore_class=(2, 255))
    assert column(table, "class") == ["a", "b", "mean, total"]
    assert column(table, "pixels") == ["10", "10", "20"]
    assert column(table, "share") == ["50.0%", "50.0%", "100.0%"]
    assert column(table, "recall") == ["0.600", "1.000", "0.800"]
    assert column(table, "mostly taken for") == ["void (30%)", "–", ""]


def test_a_share_never_rounds_to_0_or_100_percent():
    table = class_table([[1, 0], [0, 10**6]])
    assert column(table, "share") == ["<0.1%", ">99.9%", "100.0%"]
    assert column(class_table([[0, 10**6], [0, 1]]), "mostly taken for")[0] == (
        "1 (100%)"
    )
    table = class_table([[1, 10**6], [0, 1]], ["a", "b"])
    assert column(table, "mostly taken for")[0] == "b (>99%)"


@ALL
@pytest.mark.parametrize(
    ("matrix", "received"),
    [
        ([[1, 2]], "matrix of shape (1, 2)."),
        ([1, 2], "matrix of shape (2,)."),
        ([], "matrix of shape (0,)."),
        ([["a"]], "matrix of type list (could not convert string to float"),
        ([[1], [2, 3]], "matrix of type list (setting an array element"),
    ],
)
def test_a_matrix_is_square(report, matrix, received):
    message = (
        "`matrix` must be counts of shape (C, C), labels by predictions. Received: "
        + received
    )
    way_out = "Pass the result of `confusion_matrix`, not labels and predictions."
    with pytest.raises(ValueError, match=f"{re.escape(message)}.*{way_out}"):
        report(matrix)


@ALL
@pytest.mark.parametrize("value", [-1, np.nan, np.inf])
def test_counts_are_finite_and_not_negative(report, value):
    message = (
        "`matrix` must be finite numbers, 0 or more. Received: matrix with "
        f"{value} at [1, 0]. If it is NaN or -1 everywhere, compiled code, which "
        "cannot raise, received invalid input"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        report([[1, 2], [value, value]])


@ALL
@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"], ["a", "a"], "ab"])
def test_there_is_one_name_per_class(report, names):
    with pytest.raises(ValueError, match="`class_names` must be 2 different names"):
        report([[1, 2], [3, 4]], class_names=names)


@pytest.mark.parametrize(
    "report", [class_table, pytest.param(save_confusion_plot, marks=draws)]
)
def test_one_class_at_least_is_not_ignored(report):
    message = (
        "`ignore_class` must leave at least one class. Received: ignore_class=(0, 1), "
        "matrix of shape (2, 2). Pass only the ids of void."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        report([[1, 2], [3, 4]], ignore_class=(0, 1))
    with pytest.raises(ValueError, match="`ignore_class` must be a 32-bit integer"):
        report([[1, 2], [3, 4]], ignore_class=0.5)
