"""Grids of small images, with headings and a legend."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_trainfix.callbacks.snapshots.tiles import resized

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAP = 6  # pixels between tiles
DPI = 100
CHARACTERS = 17  # that fit on a tile
INK = "#1f2328"


class Cell(NamedTuple):
    """One entry of a grid: a small image with a text on it.

    Attributes:
        tile: Array `(height, width, 3)` of uint8.
        text: String.
    """

    tile: np.ndarray
    text: str = ""


def draw_grid(
    columns: Sequence[tuple[str, list[Cell]]],
    keys: Sequence[tuple[Any, str | None, str]],
) -> "Figure":
    """Draws a grid of cells.

    All tiles are put into one image first: one axes for each would take seconds.

    Args:
        columns: List of pairs: a heading, and a list of `Cell`, one per row.
        keys: List of `(color, hatch, name)` for a legend.

    Returns:
        `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    height, width = columns[0][1][0].tile.shape[:2]
    rows = len(columns[0][1])
    down, across = rows * (height + GAP), len(columns) * (width + GAP)
    longest = max((len(name) for *_, name in keys), default=0)
    per_line = max(1, int(across / (38 + 7 * longest)))
    legend = 22 * -(-len(keys) // per_line) + 8 if keys else GAP
    top = 26
    size = max(across + GAP, 60 + 7 * longest), down + top + legend
    figure = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI)
    figure.set_layout_engine("none")  # the user's style may set another
    box = GAP / size[0], legend / size[1], across / size[0], down / size[1]
    axes = figure.add_axes(box)
    axes.set_axis_off()
    picture = np.zeros((down, across, 4), "uint8")  # gaps are transparent
    for j, (heading, cells) in enumerate(columns):
        left = j * (width + GAP)
        axes.text(left + width / 2, -8, heading, ha="center", fontsize=10)
        for i, cell in enumerate(cells):
            upper = i * (height + GAP)
            tile = resized(cell.tile, (height, width))
            picture[upper : upper + height, left : left + width, :3] = tile
            picture[upper : upper + height, left : left + width, 3] = 255
            _write(axes, left + width / 2, upper + height / 2, cell.text)
    axes.imshow(picture, interpolation="nearest", aspect="auto")
    if keys:
        patches = [
            Patch(facecolor=color, hatch=hatch, edgecolor="0.5", label=name)
            for color, hatch, name in keys
        ]
        texts = figure.legend(
            handles=patches,
            loc="lower left",
            ncols=per_line,
            frameon=False,
            fontsize=9,
            borderpad=0,
        ).get_texts()
        for text in texts:
            text.set_parse_math(False)
    return figure


def _write(axes, x, y, text):
    if not text:
        return
    lines = textwrap.wrap(text, CHARACTERS, max_lines=3, placeholder=" ...")
    style = {"ha": "center", "va": "center", "fontsize": 9, "color": INK}
    axes.text(x, y, "\n".join(lines), parse_math=False, **style)
