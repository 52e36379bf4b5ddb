# ruff: noqa: E501, RUF001 - tables are as wide as they are, and have another dash
import importlib.util
import itertools
import re
import struct
import sys

import numpy as np
import pytest
from keras import ops

from keras_trainfix import class_table, confusion_table, save_confusion_plot
from keras_trainfix.backend import exact_tensor

draws = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib"
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

BOTH = pytest.mark.parametrize("table", [class_table, confusion_table])
ALL = pytest.mark.parametrize(
    "report",
    [class_table, confusion_table, pytest.param(save_confusion_plot, marks=draws)],
)


def column(table, name):
    """The cells of one column, from top to bottom, without the header."""
    rows = [line[2:-2].split(" | ") for line in table.splitlines()]
    index = [cell.strip() for cell in rows[0]].index(name)
    return [row[index].strip() for row in rows[2:]]


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def random_matrix(rng, num_classes):
    matrix = rng.integers(0, 1000, (num_classes, num_classes))
    return matrix + np.diag(rng.integers(0, 10**6, num_classes))


# Both tables


def test_the_table_of_classes():
    assert class_table(MATRIX, NAMES) == CLASSES


def test_the_table_of_counts():
    assert confusion_table(MATRIX, NAMES) == COUNTS


@pytest.mark.parametrize("dtype", ["int32", "float32", "bfloat16"])
def test_a_tensor_gives_what_a_list_gives(dtype):
    matrix = [[200, 3], [1, 16]]
    tensor = ops.cast(ops.convert_to_tensor(matrix), dtype)
    assert class_table(tensor) == class_table(matrix)
    assert confusion_table(tensor) == confusion_table(matrix)


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


@BOTH
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


# The order and the rows of the table of classes


def test_the_classes_that_fail_come_first_and_absent_ones_last():
    matrix = np.diag([5, 0, 5, 5, 0])
    matrix[0, 2], matrix[3, 2] = 3, 1  # class 2 has the lowest IoU
    assert column(class_table(matrix), "class")[:-1] == ["2", "0", "3", "1", "4"]


def test_equal_classes_keep_their_order():
    assert column(class_table(np.eye(3)), "class")[:3] == ["0", "1", "2"]


def test_a_class_that_is_predicted_and_not_labelled_fails():
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


def test_a_share_never_rounds_to_nothing_or_to_all():
    table = class_table([[1, 0], [0, 10**6]])
    assert column(table, "share") == ["<0.1%", ">99.9%", "100.0%"]
    assert column(class_table([[0, 10**6], [0, 1]]), "mostly taken for")[0] == (
        "1 (100%)"
    )
    table = class_table([[1, 10**6], [0, 1]], ["a", "b"])
    assert column(table, "mostly taken for")[0] == "b (>99%)"


# What is no matrix


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
def test_what_is_not_square(report, matrix, received):
    message = (
        "`matrix` must be counts of shape (C, C), labels by predictions. Received: "
        + received
    )
    way_out = "Pass the result of `confusion_matrix`, not labels and predictions."
    with pytest.raises(ValueError, match=f"{re.escape(message)}.*{way_out}"):
        report(matrix)


@ALL
@pytest.mark.parametrize("value", [-1, np.nan, np.inf])
def test_what_is_no_count(report, value):
    message = (
        "`matrix` must be finite numbers, 0 or more. Received: matrix with "
        f"{value} at [1, 0]. If it is NaN or -1 everywhere, compiled code, which "
        "cannot raise, received invalid input"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        report([[1, 2], [value, value]])


@ALL
@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"], ["a", "a"], "ab"])
def test_names_that_are_not_one_a_class(report, names):
    with pytest.raises(ValueError, match="`class_names` must be 2 different names"):
        report([[1, 2], [3, 4]], class_names=names)


@pytest.mark.parametrize(
    "report", [class_table, pytest.param(save_confusion_plot, marks=draws)]
)
def test_what_leaves_no_class(report):
    message = (
        "`ignore_class` must leave at least one class. Received: ignore_class=(0, 1), "
        "matrix of shape (2, 2). Pass only the ids of void."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        report([[1, 2], [3, 4]], ignore_class=(0, 1))
    with pytest.raises(ValueError, match="`ignore_class` must be a 32-bit integer"):
        report([[1, 2], [3, 4]], ignore_class=0.5)


# The picture


def image(path):
    from matplotlib.image import imread

    return imread(path)[..., :3]


@draws
@pytest.mark.parametrize(
    ("num_classes", "smallest", "largest"),
    [(2, 400, 900), (5, 700, 1400), (21, 1300, 2200), (150, 2800, 3800)],
)
def test_the_file_is_a_png_that_fits_its_content(
    tmp_path, rng, num_classes, smallest, largest
):
    names = [f"class {i} of a long name" for i in range(num_classes)]
    path = tmp_path / "matrix.png"
    save_confusion_plot(random_matrix(rng, num_classes), path, names)
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", header[16:])
    assert smallest <= height <= width <= largest * 1.3
    ink = np.argwhere((image(path) < 0.99).any(-1))
    edges = [*ink.min(0), *(np.array([height, width]) - 1 - ink.max(0))]
    assert all(5 <= edge <= 40 for edge in edges), edges


@draws
@pytest.mark.parametrize("num_classes", [2, 5, 15, 21, 150, 300])
def test_no_two_names_or_scores_overlap(rng, num_classes):
    figure = save_confusion_plot(
        random_matrix(rng, num_classes),
        class_names=[f"Class {i} (any)" for i in range(num_classes)],
    )
    axes = figure.axes[0]
    figure.draw_without_rendering()
    scores = [text for text in axes.texts if text.get_position() == (6, 0)]
    for labels in (axes.get_yticklabels(), scores):
        boxes = [label.get_window_extent() for label in labels]
        assert len(boxes) == num_classes if num_classes <= 150 else len(boxes) > 1
        for above, below in itertools.pairwise(boxes):
            assert below.y1 < above.y0
    # Those of columns are turned, so that their boxes do not tell.
    first, second = axes.get_xticks()[:2]
    gap = (second - first) * axes.get_window_extent().width / num_classes
    assert gap > axes.get_xticklabels()[0].get_fontsize() * figure.dpi / 72


@draws
def test_no_number_leaves_its_cell(rng):
    for normalize in (True, False):
        matrix = 999_000 * np.ones((15, 15))
        matrix[0] = 0.05
        matrix[1], matrix[1, 1] = 1e-9, 1
        matrix[2] = 2.0**53
        figure = save_confusion_plot(matrix, normalize=normalize)
        figure.draw_without_rendering()
        axes = figure.axes[0]
        room = axes.get_window_extent().width / 15
        cells = [text for text in axes.texts if text.get_position() != (6, 0)]
        widths = [text.get_window_extent().width for text in cells]
        assert max(widths) < 0.95 * room


@draws
def test_the_texts_of_shares():
    figure = save_confusion_plot(MATRIX, class_names=NAMES)
    axes, bar = figure.axes
    assert texts(figure) == [
        *["90%", "9%", "1%", "0%"],
        *["0%", ">99%", "<1%", "0%"],
        *["40%", "50%", "10%", "0%"],
        "not labeled",
        *["0.90", "0.68", "0.05", "–"],
        "IoU",
    ]
    assert axes.get_title(loc="left") == "12,103 pixels, mean IoU 0.541"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "labeled")
    assert [label.get_text() for label in axes.get_xticklabels()] == NAMES
    assert [label.get_text() for label in axes.get_yticklabels()] == NAMES
    assert bar.get_ylabel() == "share of labeled pixels"


@draws
def test_the_texts_of_counts():
    matrix = [[123456, 1234, 0], [999.6, 7, 0.4], [2**53, 0.01, 999_960]]
    figure = save_confusion_plot(matrix, normalize=False)
    assert texts(figure)[:9] == [
        *["123k", "1.2k", "0"],
        *["1.0k", "7", "0.4"],
        *["9.0P", "<0.1", "1.0M"],
    ]
    assert figure.axes[1].get_ylabel() == "pixels"


@draws
def test_the_colours_of_shares_go_from_0_to_1_and_rows_without_labels_are_grey():
    figure = save_confusion_plot(MATRIX)
    (mesh,) = figure.axes[0].collections
    assert mesh.get_clim() == (0, 1)
    shares = np.ma.getdata(mesh.get_array()).reshape(4, 4)
    np.testing.assert_allclose(shares[0], [0.9, 0.09, 0.01, 0])
    colors = mesh.to_rgba(mesh.get_array()).reshape(4, 4, 4)
    np.testing.assert_allclose(colors[3, :, :3], 0.9)
    lightness = mesh.cmap(np.linspace(0, 1, 256))[:, :3] @ [0.21, 0.72, 0.07]
    assert np.all(np.diff(lightness) < 0)


@draws
def test_text_is_light_on_dark_and_dark_on_light():
    light, dark = save_confusion_plot([[0, 9], [0, 9]]).axes[0].texts[:2]
    assert (light.get_color(), dark.get_color()) == ("0.15", "white")


@draws
def test_an_ignored_class_has_a_column_and_no_row():
    matrix = [[70, 0, 30], [9, 9, 9], [0, 0, 50]]
    figure = save_confusion_plot(matrix, class_names=list("abc"), ignore_class=(1, 255))
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == list("abc")
    assert [label.get_text() for label in axes.get_yticklabels()] == list("ac")
    colors = [label.get_color() for label in axes.get_xticklabels()]
    assert colors[1] != colors[0] == colors[2]
    assert texts(figure)[:6] == ["70%", "0%", "30%", "0%", "0%", "100%"]
    bold = [text.get_weight() == "bold" for text in axes.texts[:6]]
    assert bold == [True, False, False, False, False, True]
    assert axes.get_title(loc="left").startswith("150 pixels, ")


@draws
@pytest.mark.parametrize("normalize", [True, False])
def test_a_matrix_of_zeros_is_grey(tmp_path, normalize):
    path = tmp_path / "matrix.png"
    figure = save_confusion_plot([[0, 0], [0, 0]], path, normalize=normalize)
    assert texts(figure) == ["not labeled", "not labeled", "–", "–", "IoU"]
    assert figure.axes[0].get_title(loc="left") == "0 pixels, mean IoU –"


@draws
@pytest.mark.parametrize("normalize", [True, False])
def test_the_cells_of_many_classes_have_no_text(tmp_path, rng, normalize):
    matrix = random_matrix(rng, 16)
    figure = save_confusion_plot(matrix, tmp_path / "m.png", normalize=normalize)
    assert len(texts(figure)) == 16 + 1


@draws
def test_names_are_not_read_as_mathematics(tmp_path):
    names = ["$x", "_{$y$}^"]
    figure = save_confusion_plot([[1, 0], [0, 1]], tmp_path / "m.png", names)
    labels = figure.axes[0].get_xticklabels() + figure.axes[0].get_yticklabels()
    assert not any(label.get_parse_math() for label in labels)


@draws
def test_a_style_of_the_user_moves_nothing(tmp_path):
    import matplotlib

    sizes = []
    for style in ({}, {"figure.constrained_layout.use": True, "axes.grid": True}):
        with matplotlib.rc_context(style):
            path = str(tmp_path / "matrix.svg")
            figure = save_confusion_plot(MATRIX, path, NAMES)
        sizes.append([axes.get_position().bounds for axes in figure.axes])
    np.testing.assert_allclose(*sizes)


@draws
def test_pyplot_is_not_needed_and_knows_of_no_figure(monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib.pyplot", None)
        save_confusion_plot(MATRIX, tmp_path / "matrix.png")
    import matplotlib.pyplot as plt

    save_confusion_plot(MATRIX)
    assert plt.get_fignums() == []


@draws
def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        save_confusion_plot(MATRIX, tmp_path / "none" / "matrix.png")


def test_without_matplotlib_the_error_says_what_to_do(monkeypatch):
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    message = (
        "`save_confusion_plot` needs matplotlib, which could not be imported .*"
        "Run `pip install matplotlib`."
    )
    with pytest.raises(ImportError, match=message):
        save_confusion_plot(MATRIX)
    assert class_table(MATRIX, NAMES) == CLASSES
