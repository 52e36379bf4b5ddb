# ruff: noqa: RUF001 - pictures have another dash
"""The picture of a confusion matrix."""

import importlib.util
import itertools
import struct
import sys

import numpy as np
import pytest

from keras_trainfix import class_table, save_confusion_plot

pytestmark = pytest.mark.one_backend


draws = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib"
)


NAMES = ["sky", "road", "car", "bird"]


MATRIX = [[9000, 900, 100, 0], [0, 2000, 3, 0], [40, 50, 10, 0], [0, 0, 0, 0]]


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def random_matrix(rng, num_classes):
    matrix = rng.integers(0, 1000, (num_classes, num_classes))
    return matrix + np.diag(rng.integers(0, 10**6, num_classes))


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
    # The names of columns are rotated, so their boxes overlap.
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
def test_colors_of_shares_go_from_0_to_1_and_rows_without_labels_are_gray():
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
def test_a_matrix_of_zeros_is_gray(tmp_path, normalize):
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
def test_the_users_style_moves_nothing(tmp_path):
    import matplotlib

    sizes = []
    for style in ({}, {"figure.constrained_layout.use": True, "axes.grid": True}):
        with matplotlib.rc_context(style):
            path = str(tmp_path / "matrix.svg")
            figure = save_confusion_plot(MATRIX, path, NAMES)
        sizes.append([axes.get_position().bounds for axes in figure.axes])
    np.testing.assert_allclose(*sizes)


@draws
def test_pyplot_is_not_needed_and_has_no_figure(monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib.pyplot", None)
        save_confusion_plot(MATRIX, tmp_path / "matrix.png")
    import matplotlib.pyplot as plt

    save_confusion_plot(MATRIX)
    assert plt.get_fignums() == []


@draws
def test_a_missing_folder_is_an_error(tmp_path):
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
    assert "bird" in class_table(MATRIX, NAMES)
