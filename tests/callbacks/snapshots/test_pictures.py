"""The pictures of predictions: cells, legends and panels."""

import numpy as np
import pytest

from keras_trainfix.callbacks.snapshots import pictures
from keras_trainfix.callbacks.snapshots.pictures import (
    ClassGrid,
    Column,
    ImageGrid,
    MaskGrid,
    Scatter,
)
from keras_trainfix.callbacks.snapshots.tiles import class_colors, image_tiles
from tests.callbacks.snapshots.nets import COLORS, IDS, ROWS, SIZE, STEP, colors_of

pytest.importorskip("matplotlib")

pytestmark = pytest.mark.one_backend  # no framework takes part

TILES = image_tiles(ROWS)
NAMES = ["a", "b", "c"]


def colors_in(tile):
    return {tuple(color) for color in tile.reshape(-1, 3).tolist()}


def legend_of(grid):
    (legend,) = grid.draw([]).legends
    return [text.get_text() for text in legend.get_texts()]


# --- masks ---


def test_masks_have_the_colors_of_their_classes():
    grid = MaskGrid(TILES, IDS, None, NAMES)
    assert [heading for heading, _ in grid.first] == ["input", "label"]
    for cell, ids in zip(grid.content(2 - IDS), 2 - IDS, strict=True):
        assert np.array_equal(colors_of(cell), COLORS[ids])
    assert legend_of(grid) == NAMES


def test_the_legend_has_only_classes_that_occur():
    grid = MaskGrid(TILES, 0 * IDS, None, NAMES)
    assert legend_of(grid) == ["a"]
    grid.content(2 * (IDS > 1))
    assert legend_of(grid) == ["a", "c"]


def test_void_is_striped_and_classes_below_it_do_not_count():
    valid = np.ones(IDS.shape, bool)
    valid[:, 2:5, 2:5] = False
    grid = MaskGrid(TILES, np.where(valid, 0, 2), valid, NAMES)
    tile = grid.first[1][1][0].tile
    inside = tile[2 * STEP : 5 * STEP, 2 * STEP : 5 * STEP]
    assert colors_in(inside) == set(pictures.VOID)
    assert (colors_of(grid.first[1][1][0])[valid[0]] == COLORS[0]).all()
    assert legend_of(grid) == ["a", "void"]


def test_predictions_that_are_not_a_number_are_marked():
    grid = MaskGrid(TILES, None, None, NAMES)
    cells = grid.content(np.full(IDS.shape, 3))
    assert colors_in(cells[0].tile) == set(pictures.NO_CLASS)
    assert legend_of(grid) == ["not a number"]


def test_a_long_legend_is_cut():
    number = pictures.MOST_NAMES + 4
    ids = np.arange(SIZE**2).reshape(1, SIZE, SIZE) % number
    grid = MaskGrid(TILES[:1], ids, None, list(map(str, range(number))))
    assert len(grid.colors) == len(class_colors(number))
    assert legend_of(grid)[-1] == "and 4 more"
    assert len(legend_of(grid)) == pictures.MOST_NAMES + 1


# --- classes ---


def test_cells_are_green_where_the_class_is_correct():
    grid = ClassGrid(None, ["cat", "dog", "cat"], np.array([True, True, False]))
    cells = grid.content(["cat 0.9", "cat 0.6", "cat 0.7"], ["cat", "cat", "cat"])
    assert [cell.text for cell in cells] == ["cat 0.9", "cat 0.6", "cat 0.7"]
    colors = [tuple(cell.tile[0, 0].tolist()) for cell in cells]
    assert colors == [pictures.CORRECT, pictures.INCORRECT, pictures.UNJUDGED]


def test_without_labels_no_class_is_judged():
    cells = ClassGrid(TILES, None, None).content(["a"] * 4, ["a"] * 4)
    assert {tuple(cell.tile[0, 0].tolist()) for cell in cells} == {pictures.UNJUDGED}
    assert cells[0].tile.shape == TILES[0].shape


# --- images ---


def test_predicted_images_have_the_range_of_their_targets():
    targets = np.linspace(-1, 1, 2 * SIZE**2).reshape(2, SIZE, SIZE)
    grid = ImageGrid(TILES[:2], targets)
    assert [heading for heading, _ in grid.first] == ["input", "target"]
    assert (grid.content(np.zeros((1, SIZE, SIZE)))[0].tile == 128).all()
    alone = ImageGrid(TILES[:2], None)
    assert (alone.content(np.zeros((1, SIZE, SIZE)))[0].tile == 0).all()


# --- numbers ---

TARGETS = np.linspace(0, 10, 20)[:, None]


def panels_of(targets, *predictions):
    scatter = Scatter(targets)
    columns = [
        Column(number, number + 1, scatter.content(values))
        for number, values in enumerate(predictions)
    ]
    return scatter.draw(columns).axes


def test_one_panel_per_epoch():
    panels = panels_of(TARGETS, *[TARGETS + shift for shift in range(5)])
    titles = [panel.get_title() for panel in panels if panel.axison]
    assert titles == [f"epoch {epoch}" for epoch in range(1, 6)]
    assert [panel.axison for panel in panels] == [True] * 5 + [False] * 3
    horizontal, vertical = panels[4].lines[0].get_data()
    assert np.array_equal(horizontal, TARGETS[:, 0])
    assert np.allclose(vertical, np.minimum(TARGETS[:, 0] + 4, vertical.max()))
    diagonal = panels[4].lines[-1].get_data()
    assert np.array_equal(diagonal[0], diagonal[1])


def test_points_far_off_are_drawn_on_the_edge():
    (panel,) = panels_of(TARGETS, 1000 * TARGETS - 5000)
    low, high = panel.get_ylim()
    assert high - low < 3 * np.ptp(TARGETS)
    assert (panel.lines[0].get_ydata() >= low).all()
    assert (panel.lines[0].get_ydata() <= high).all()


def test_nan_is_not_drawn_and_does_not_set_the_limits():
    predictions = TARGETS.copy()
    predictions[3] = np.nan
    (panel,) = panels_of(TARGETS, predictions)
    assert np.isnan(panel.lines[0].get_ydata()).sum() == 1
    assert np.isfinite(panel.get_ylim()).all()
    (panel,) = panels_of(None, np.full((4, 1), np.nan))
    assert np.isfinite(panel.get_ylim()).all()


def test_without_targets_the_sample_is_on_the_horizontal_axis():
    (panel,) = panels_of(None, TARGETS)
    assert len(panel.lines) == 1  # no diagonal
    assert np.array_equal(panel.lines[0].get_xdata(), np.arange(20))


def test_at_most_eight_columns_are_drawn():
    rows = np.tile(TARGETS, (1, 12))
    (panel,) = panels_of(rows, rows)
    assert len(panel.lines) == pictures.MOST_COLUMNS + 1
