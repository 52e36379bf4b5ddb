"""The pictures of predictions, epoch by epoch."""

import colorsys
import io
import textwrap
from typing import Any, NamedTuple

import numpy as np

TILE = 128  # pixels of the longer side of an image in a picture
GAP = 6  # pixels between tiles
DPI = 100
PER_ROW = 4  # panels of a scatter plot
MOST_COLUMNS = 8  # of regression targets, a colour each
MOST_NAMES = 24  # in a legend
LETTERS = 17  # that fit on a tile
STRIPE = 4  # pixels
INK = "#1f2328"
RIGHT, WRONG, NEITHER = (214, 239, 221), (250, 214, 209), (230, 230, 230)
VOID = (245, 245, 245), (150, 150, 150)
NO_CLASS = (255, 255, 255), (220, 0, 160)  # a prediction that is NaN
# Values that an image may have by a rounding more, such as 1.0000001.
SLACK = 1e-3
FEW_BITS = 16  # floats up to here are not bytes


class Cell(NamedTuple):
    """One place in a grid: a small image, and a text over it.

    Attributes:
        tile: Array `(H, W, 3)` of uint8.
        text: String.
    """

    tile: np.ndarray
    text: str = ""


class Column(NamedTuple):
    """What is kept of one epoch.

    Attributes:
        number: Integer, how many came before.
        epoch: Integer, from 1.
        content: What the picture made of the predictions.
    """

    number: int
    epoch: int
    content: Any


class MaskGrid:
    """A row an image: input, label, and the classes predicted after each epoch.

    Args:
        tiles: List of arrays as `Cell.tile`, the inputs.
        labels: Integer array `(N, H, W)`, or None.
        valid: Boolean array `(N, H, W)`: False where a pixel is void; or None.
        names: List of strings, one a class; a prediction of the number after the last
            is no number.
    """

    def __init__(self, tiles, labels, valid, names):
        self.valid, self.names = valid, names
        self.colors = class_colors(len(names))
        self.seen: set[int] = set()
        self.first = [("input", list(map(Cell, tiles)))]
        if labels is not None:
            self.first.append(("label", self.content(labels)))

    def content(self, ids):
        """A cell an image.

        Args:
            ids: Integer array `(N, H, W)`, the class of each pixel.
        """
        valid = np.ones(ids.shape, bool) if self.valid is None else self.valid
        self.seen |= set(np.unique(ids[valid]).tolist())
        return list(map(self._cell, ids, valid))

    def _cell(self, ids, valid):
        known = ids < len(self.colors)
        tile = shrunk(self.colors[np.where(known, ids, 0)])
        tile = striped(tile, resized(~known, tile.shape[:2]), NO_CLASS)
        return Cell(striped(tile, resized(~valid, tile.shape[:2]), VOID))

    def draw(self, columns):
        """The `matplotlib.figure.Figure` of a list of `Column`."""
        known = [index for index in sorted(self.seen) if index < len(self.colors)]
        keys: list = [
            (self.colors[i] / 255, None, self.names[i]) for i in known[:MOST_NAMES]
        ]
        if len(known) > MOST_NAMES:
            keys.append(("none", None, f"and {len(known) - MOST_NAMES} more"))
        if self.valid is not None and not self.valid.all():
            keys.append((np.array(VOID[0]) / 255, "////", "void"))
        if len(self.colors) in self.seen:
            keys.append((np.array(NO_CLASS[0]) / 255, "....", "not a number"))
        return draw_grid(self.first + headed(columns), keys)


class ClassGrid:
    """A row a sample: image, label, and the class predicted after each epoch.

    Args:
        tiles: List of arrays as `Cell.tile`, or None where inputs are no images.
        labels: List of strings, one a sample, or None.
        valid: Boolean array, False where a label is void, or None.
    """

    def __init__(self, tiles, labels, valid):
        self.labels, self.valid = labels, valid
        self.first = [("input", list(map(Cell, tiles)))] if tiles else []
        self.shape = tiles[0].shape if tiles else (TILE // 4, TILE, 3)
        if labels is not None:
            cells = [Cell(self._blank(NEITHER), text) for text in labels]
            self.first.append(("label", cells))

    def content(self, texts, classes):
        """A cell a sample, green where the class is that of the label.

        Args:
            texts: List of strings, what to write.
            classes: List of strings, to compare with the labels.
        """
        cells = []
        for index, (text, name) in enumerate(zip(texts, classes, strict=True)):
            is_judged = self.labels is not None and self.valid[index]
            is_right = is_judged and name == self.labels[index]
            color = (RIGHT if is_right else WRONG) if is_judged else NEITHER
            cells.append(Cell(self._blank(color), text))
        return cells

    def _blank(self, color):
        return np.full(self.shape, color, "uint8")

    def draw(self, columns):
        """The `matplotlib.figure.Figure` of a list of `Column`."""
        return draw_grid(self.first + headed(columns), [])


class ImageGrid:
    """A row an image: input, target, and the image predicted after each epoch.

    Args:
        tiles: List of arrays as `Cell.tile`, the inputs.
        targets: Array of images, or None.
    """

    def __init__(self, tiles, targets):
        self.limits = None if targets is None else value_limits(targets)
        self.first = [("input", list(map(Cell, tiles)))]
        if targets is not None:
            self.first.append(("target", self.content(targets)))

    def content(self, images):
        """A cell an image."""
        limits = value_limits(images) if self.limits is None else self.limits
        return list(map(Cell, image_tiles(images, limits)))

    def draw(self, columns):
        """The `matplotlib.figure.Figure` of a list of `Column`."""
        return draw_grid(self.first + headed(columns), [])


class Scatter:
    """A panel an epoch: predicted over true values, with the diagonal.

    Args:
        targets: Array `(N, K)`, or None to plot over the number of the sample.
    """

    def __init__(self, targets):
        self.targets = targets

    def content(self, predictions):
        """The first columns of predictions `(N, K)`."""
        return predictions[:, :MOST_COLUMNS]

    def draw(self, columns):
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
            over = (
                np.arange(len(values))
                if self.targets is None
                else self.targets[:, index]
            )
            panel.plot(over, values[:, index], ".", alpha=0.6, markersize=4)
        if self.targets is not None:
            low, high = finite_limits(self.targets)
            panel.plot([low, high], [low, high], color="0.5", linewidth=1, zorder=0)
        panel.set_title(f"epoch {column.epoch}", fontsize=10)
        panel.set_ylim(*limits)

    def _limits(self, columns):
        """What the vertical axis shows: points beyond are drawn on its ends."""
        low, high = finite_limits(*(column.content for column in columns))
        if self.targets is not None:
            first, last = finite_limits(self.targets)
            room = (last - first) / 2
            low = min(first, max(low, first - room))
            high = max(last, min(high, last + room))
        edge = 0.04 * (high - low)
        return low - edge, high + edge


def headed(columns):
    """Pairs of a heading and the cells of a `Column`."""
    return [(f"epoch {column.epoch}", column.content) for column in columns]


def draw_grid(columns, keys):
    """A grid of cells.

    All tiles are put into one image first: an axes for each would take seconds.

    Args:
        columns: List of pairs: a heading, and a list of `Cell`, one a row.
        keys: List of `(color, hatch, name)` for a legend.

    Returns:
        `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    height, width = columns[0][1][0].tile.shape[:2]
    rows = len(columns[0][1])
    down, across = rows * (height + GAP), len(columns) * (width + GAP)
    names = max((len(name) for *_, name in keys), default=0)
    per_line = max(1, int(across / (38 + 7 * names)))
    legend = 22 * -(-len(keys) // per_line) + 8 if keys else GAP
    top = 26
    size = max(across + GAP, 60 + 7 * names), down + top + legend
    figure = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI)
    figure.set_layout_engine("none")  # a style of the user may ask for another
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
    lines = textwrap.wrap(text, LETTERS, max_lines=3, placeholder=" ...")
    style = {"ha": "center", "va": "center", "fontsize": 9, "color": INK}
    axes.text(x, y, "\n".join(lines), parse_math=False, **style)


def png_of(figure):
    """A figure as the bytes of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def pixels_of(figure):
    """A figure as an array `(H, W, 3)` of uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def class_colors(number):
    """Colours `(number, 3)` of uint8: dark for class 0, then hues far from the last."""
    colors = [(0.13, 0.14, 0.18)]
    for index in range(1, number):
        hue = (0.5 + 0.618034 * index) % 1
        light = 0.95 - 0.25 * (index // 3 % 2)
        colors.append(colorsys.hsv_to_rgb(hue, 0.75, light))
    return np.round(255 * np.array(colors[:number])).astype("uint8")


def image_tiles(images, limits=None):
    """Images of any range as tiles.

    Args:
        images: Array `(N, H, W, C)` or `(N, H, W)`.
        limits: The values that are black and white, or None to tell from the images.

    Returns:
        List of arrays as `Cell.tile`.
    """
    low, high = value_limits(images) if limits is None else limits
    if images.ndim == 3:
        images = images[..., None]
    channels = images[..., :3] if images.shape[-1] >= 3 else images[..., :1]
    scaled = (np.nan_to_num(channels.astype("float32")) - low) / (high - low)
    bytes_ = np.round(255 * np.clip(scaled, 0, 1)).astype("uint8")
    return [shrunk(np.broadcast_to(one, (*one.shape[:2], 3))) for one in bytes_]


def value_limits(images):
    """The values that stand for black and white: [0, 1], [-1, 1] or [0, 255].

    Of images that have none of these ranges their own lowest and highest value.
    """
    finite = images[np.isfinite(images)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if low >= -SLACK and high <= 1 + SLACK:
        return 0.0, 1.0
    if low >= -1 - SLACK and high <= 1 + SLACK:
        return -1.0, 1.0
    is_bytes = images.dtype.kind in "iu" or high > FEW_BITS
    if low >= 0 and high <= 255 + SLACK and is_bytes:
        return 0.0, 255.0
    return finite_limits(finite)


def finite_limits(*arrays):
    """The lowest and highest finite number of arrays, a little apart at least."""
    flat = np.concatenate([np.empty(0), *map(np.ravel, arrays)])
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return 0.0, 1.0
    low, high = float(flat.min()), float(flat.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def shrunk(tile):
    """A tile whose longer side has `TILE` pixels; large ones are averaged first."""
    height, width = tile.shape[:2]
    step = max(1, max(height, width) // TILE)
    if step > 1 and min(height, width) >= step:
        part = tile[: height - height % step, : width - width % step]
        blocks = part.reshape(height // step, step, width // step, step, -1)
        tile = np.round(blocks.mean((1, 3))).astype("uint8")
    scale = TILE / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return resized(tile, size)


def resized(array, size):
    """An image with another height and width, by its nearest pixels."""
    rows = np.arange(size[0]) * array.shape[0] // size[0]
    columns = np.arange(size[1]) * array.shape[1] // size[1]
    return array[rows][:, columns]


def striped(tile, where, colors):
    """A tile with diagonal stripes of two colours at some pixels."""
    i, j = np.indices(where.shape)
    is_line = (i + j) // STRIPE % 2 == 1
    pattern = np.where(is_line[..., None], *(np.uint8(c) for c in reversed(colors)))
    return np.where(where[..., None], pattern, tile)
