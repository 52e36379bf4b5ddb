"""The pictures of predictions, epoch by epoch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from keras_trainfix.callbacks.snapshots.grid import DPI, Cell, draw_grid
from keras_trainfix.callbacks.snapshots.tiles import (
    TILE,
    class_colors,
    finite_limits,
    image_tiles,
    resized,
    scaled_to_tile,
    striped,
    value_limits,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PER_ROW = 4  # panels of a scatter plot
MOST_COLUMNS = 8  # regression targets, one color each
MOST_NAMES = 24  # in a legend
CORRECT, INCORRECT, UNJUDGED = (214, 239, 221), (250, 214, 209), (230, 230, 230)
VOID = (245, 245, 245), (150, 150, 150)
NO_CLASS = (255, 255, 255), (220, 0, 160)  # a prediction that is NaN


class Column(NamedTuple):
    """What is kept of one epoch.

    Attributes:
        number: Integer, how many came before.
        epoch: Integer, from 1.
        content: What the picture keeps of the predictions.
    """

    number: int
    epoch: int
    content: Any


class Picture(Protocol):
    """What draws the predictions of all epochs."""

    def draw(self, columns: Sequence[Column]) -> "Figure":
        """The `matplotlib.figure.Figure` of a list of `Column`."""


class MaskGrid:
    """One row per image: input, label, and the classes predicted after each epoch.

    Args:
        tiles: List of arrays as `Cell.tile`, the inputs.
        labels: Integer array `(N, H, W)`, or None.
        valid: Boolean array `(N, H, W)`, False where a pixel is void; or None.
        names: List of strings, one per class. The class `len(names)` marks predictions
            that are not a number.
    """

    def __init__(
        self,
        tiles: list[np.ndarray],
        labels: np.ndarray | None,
        valid: np.ndarray | None,
        names: list[str],
    ) -> None:
        self.valid, self.names = valid, names
        self.colors = class_colors(len(names))
        self.present: set[int] = set()
        self.first = [("input", list(map(Cell, tiles)))]
        if labels is not None:
            self.first.append(("label", self.content(labels)))

    def content(self, ids: np.ndarray) -> list[Cell]:
        """One cell per image.

        Args:
            ids: Integer array `(N, H, W)`, the class of each pixel.
        """
        valid = np.ones(ids.shape, bool) if self.valid is None else self.valid
        self.present |= set(np.unique(ids[valid]).tolist())
        return list(map(self._cell, ids, valid))

    def _cell(self, ids, valid):
        known = ids < len(self.colors)
        tile = scaled_to_tile(self.colors[np.where(known, ids, 0)])
        tile = striped(tile, resized(~known, tile.shape[:2]), NO_CLASS)
        return Cell(striped(tile, resized(~valid, tile.shape[:2]), VOID))

    def draw(self, columns: Sequence[Column]) -> "Figure":
        """The `matplotlib.figure.Figure` of a list of `Column`."""
        known = [index for index in sorted(self.present) if index < len(self.colors)]
        keys: list = [
            (self.colors[i] / 255, None, self.names[i]) for i in known[:MOST_NAMES]
        ]
        if len(known) > MOST_NAMES:
            keys.append(("none", None, f"and {len(known) - MOST_NAMES} more"))
        if self.valid is not None and not self.valid.all():
            keys.append((np.array(VOID[0]) / 255, "////", "void"))
        if len(self.colors) in self.present:
            keys.append((np.array(NO_CLASS[0]) / 255, "....", "not a number"))
        return draw_grid(self.first + with_headings(columns), keys)


class ClassGrid:
    """One row per sample: image, label, and the class predicted after each epoch.

    Args:
        tiles: List of arrays as `Cell.tile`; None if inputs are not images.
        labels: List of strings, one per sample, or None.
        valid: Boolean array `(N,)`, False where a label is void, or None.
    """

    def __init__(
        self,
        tiles: list[np.ndarray] | None,
        labels: list[str] | None,
        valid: np.ndarray | None,
    ) -> None:
        self.labels, self.valid = labels, valid
        self.first = [("input", list(map(Cell, tiles)))] if tiles else []
        self.shape = tiles[0].shape if tiles else (TILE // 4, TILE, 3)
        if labels is not None:
            cells = [Cell(self._blank(UNJUDGED), text) for text in labels]
            self.first.append(("label", cells))

    def content(self, texts: list[str], classes: list[str]) -> list[Cell]:
        """One cell per sample, green if the class is that of the label.

        Args:
            texts: List of strings to write on the cells.
            classes: List of strings to compare with the labels.
        """
        pairs = zip(texts, classes, strict=True)
        return [
            Cell(self._blank(self._color(index, name)), text)
            for index, (text, name) in enumerate(pairs)
        ]

    def _color(self, index, name):
        if self.labels is None or self.valid is None or not self.valid[index]:
            return UNJUDGED
        return CORRECT if name == self.labels[index] else INCORRECT

    def _blank(self, color):
        return np.full(self.shape, color, "uint8")

    def draw(self, columns: Sequence[Column]) -> "Figure":
        """The `matplotlib.figure.Figure` of a list of `Column`."""
        return draw_grid(self.first + with_headings(columns), [])


class ImageGrid:
    """One row per image: input, target, and the image predicted after each epoch.

    Args:
        tiles: List of arrays as `Cell.tile`, the inputs.
        targets: Array of images `(N, H, W)` or `(N, H, W, C)`, or None.
    """

    def __init__(self, tiles: list[np.ndarray], targets: np.ndarray | None) -> None:
        self.limits = None if targets is None else value_limits(targets)
        self.first = [("input", list(map(Cell, tiles)))]
        if targets is not None:
            self.first.append(("target", self.content(targets)))

    def content(self, images: np.ndarray) -> list[Cell]:
        """One cell per image, in the range of the targets."""
        limits = value_limits(images) if self.limits is None else self.limits
        return list(map(Cell, image_tiles(images, limits)))

    def draw(self, columns: Sequence[Column]) -> "Figure":
        """The `matplotlib.figure.Figure` of a list of `Column`."""
        return draw_grid(self.first + with_headings(columns), [])


class Scatter:
    """One panel per epoch: predicted against true values, with the diagonal.

    Args:
        targets: Array `(N, K)`; None to plot against the index of the sample.
    """

    def __init__(self, targets: np.ndarray | None) -> None:
        self.targets = targets

    def content(self, predictions: np.ndarray) -> np.ndarray:
        """The first `MOST_COLUMNS` columns of predictions `(N, K)`."""
        return predictions[:, :MOST_COLUMNS]

    def draw(self, columns: Sequence[Column]) -> "Figure":
        """The `matplotlib.figure.Figure` of a list of `Column`."""
        from matplotlib.figure import Figure

        across = max(1, min(PER_ROW, len(columns)))
        down = max(1, -(-len(columns) // across))
        figure = Figure(
            figsize=(2.4 * across + 0.4, 2.4 * down + 0.3),
            dpi=DPI,
            layout="constrained",
        )
        panels = figure.subplots(
            down, across, squeeze=False, sharex=True, sharey=True
        ).ravel()
        limits = self._limits(columns)
        for panel, column in zip(panels, columns, strict=False):
            self._draw_panel(panel, column, limits)
        for panel in panels[len(columns) :]:
            panel.set_axis_off()
        figure.supxlabel("true" if self.targets is not None else "sample", fontsize=10)
        figure.supylabel("predicted", fontsize=10)
        return figure

    def _draw_panel(self, panel, column, limits):
        values = np.clip(column.content, *limits)  # NaN stays, and is not drawn
        for index in range(values.shape[1]):
            horizontal = (
                np.arange(len(values))
                if self.targets is None
                else self.targets[:, index]
            )
            panel.plot(horizontal, values[:, index], ".", alpha=0.6, markersize=4)
        if self.targets is not None:
            low, high = finite_limits(self.targets)
            panel.plot([low, high], [low, high], color="0.5", linewidth=1, zorder=0)
        panel.set_title(f"epoch {column.epoch}", fontsize=10)
        panel.set_ylim(*limits)

    def _limits(self, columns):
        """The range of the vertical axis; points beyond it are drawn at its ends."""
        low, high = finite_limits(*(column.content for column in columns))
        if self.targets is not None:
            first, last = finite_limits(self.targets)
            margin = (last - first) / 2
            low = min(first, max(low, first - margin))
            high = max(last, min(high, last + margin))
        edge = 0.04 * (high - low)
        return low - edge, high + edge


def with_headings(columns: Sequence[Column]) -> list[tuple[str, list[Cell]]]:
    """Pairs of a heading and the cells of a `Column`."""
    return [(f"epoch {column.epoch}", column.content) for column in columns]
