"""Grids of small images: where tiles, texts and the legend are."""

import numpy as np
import pytest

from keras_trainfix.callbacks.snapshots.grid import DPI, GAP, Cell, draw_grid

pytest.importorskip("matplotlib")

pytestmark = pytest.mark.one_backend  # no framework takes part

RED, BLUE = ((255, 0, 0), (0, 0, 255))


def cell(color, text="", size=(32, 48)):
    return Cell(np.full((*size, 3), color, "uint8"), text)


def test_tiles_are_in_their_columns_and_rows():
    columns = [("a", [cell(RED), cell(BLUE)]), ("b", [cell(BLUE), cell(RED)])]
    (axes,) = draw_grid(columns, []).axes
    picture = axes.images[0].get_array()
    assert picture.shape == (2 * (32 + GAP), 2 * (48 + GAP), 4)
    for row, column, color in ((0, 0, RED), (1, 0, BLUE), (0, 1, BLUE), (1, 1, RED)):
        i, j = row * (32 + GAP), column * (48 + GAP)
        assert (picture[i : i + 32, j : j + 48] == (*color, 255)).all()
    assert (picture[32 : 32 + GAP, :, 3] == 0).all()  # gaps are transparent


def test_a_tile_of_another_size_is_resized():
    (axes,) = draw_grid([("a", [cell(RED), cell(BLUE, size=(8, 8))])], []).axes
    picture = axes.images[0].get_array()
    assert (picture[32 + GAP : 64 + GAP, :48] == (*BLUE, 255)).all()


def test_headings_and_texts():
    columns = [("epoch 1", [cell(RED, "cat"), cell(RED)]), ("epoch 2", [cell(RED)] * 2)]
    (axes,) = draw_grid(columns, []).axes
    assert [text.get_text() for text in axes.texts] == ["epoch 1", "cat", "epoch 2"]


def test_a_long_text_is_wrapped_and_cut():
    words = "a text that is far too long for a tile, whatever the size of its font is"
    (axes,) = draw_grid([("", [cell(RED, words)])], []).axes
    lines = axes.texts[-1].get_text().split("\n")
    assert len(lines) == 3
    assert lines[-1].endswith(" ...")


def test_dollar_signs_are_no_formulas():
    figure = draw_grid([("", [cell(RED, "$x$")])], [("red", None, "$y$")])
    (legend,) = figure.legends
    texts = [figure.axes[0].texts[-1], *legend.get_texts()]
    assert [text.get_parse_math() for text in texts] == [False, False]


@pytest.mark.parametrize("number", [0, 1, 40])
def test_the_legend_makes_the_figure_higher(number):
    keys = [("red", None, f"class {i}") for i in range(number)]
    figure = draw_grid([("a", [cell(RED)] * 2)], keys)
    assert len(figure.legends) == (number > 0)
    names = [text.get_text() for legend in figure.legends for text in legend.texts]
    assert names == [name for *_, name in keys]
    without = draw_grid([("a", [cell(RED)] * 2)], []).get_figheight()
    assert (figure.get_figheight() > without + 15 / DPI) == (number > 0)


def test_the_layout_of_a_style_is_not_used():
    import matplotlib

    columns = [("a", [cell(RED)])]
    plain = draw_grid(columns, []).axes[0].get_position().bounds
    with matplotlib.rc_context({"figure.constrained_layout.use": True}):
        figure = draw_grid(columns, [])
    figure.draw_without_rendering()
    assert figure.axes[0].get_position().bounds == plain
