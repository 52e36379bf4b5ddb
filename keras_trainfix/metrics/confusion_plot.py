"""A picture of a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_trainfix.labels.types import IgnoreClass, Tensor
from keras_trainfix.metrics.class_scores import iou_from_confusion, ratio
from keras_trainfix.metrics.tables import (
    checked_matrix,
    count_texts,
    mean_of_known,
    percent_text,
    score_text,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

INK, FAINT = "0.15", "0.5"  # text in light cells; text of ignored and empty classes
BLANK, LINE = "0.9", "0.8"  # rows without labels, lines between cells; frames
MARGIN = 0.12  # inches around a picture
NUMBERS_UP_TO = 15  # classes: with more, the numbers in the cells are unreadable


def save_confusion_plot(
    matrix: Tensor,
    path: str | PathLike[str] | None = None,
    class_names: Sequence[str] | None = None,
    ignore_class: IgnoreClass = None,
    normalize: bool = True,
) -> Figure:
    """A picture of a confusion matrix, with the IoU of each class beside its row.

    Rows without labels are gray. With up to 15 classes each cell shows its number.

    Args:
        matrix: Counts `(C, C)`, as for `class_table`.
        path: String or `pathlib.Path` of a file to save the picture in, in the format
            of its suffix, or None. Defaults to `None`.
        class_names: List of strings, one for each class, or None to use numbers.
            Defaults to `None`.
        ignore_class: Integer, tuple of integers, or None: classes whose row to leave
            out. Their columns stay, as predicting them is an error. Defaults to `None`.
        normalize: Whether to show shares of the pixels of each label. If not, the
            numbers are counts, and the colors have a logarithmic scale. Defaults to
            `True`.

    Returns:
        `matplotlib.figure.Figure`, not registered with pyplot.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: As `class_table`.
        OSError: If `path` cannot be written.

    Examples:
        >>> figure = save_confusion_plot([[3, 1], [0, 2]], class_names=["sky", "bird"])
        >>> figure.axes[0].get_title(loc="left")
        '6 pixels, mean IoU 0.708'
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "`save_confusion_plot` needs matplotlib, which could not be imported "
            f"({error}). Run `pip install matplotlib`, or use `class_table` or "
            "`confusion_table`, which do not need it."
        ) from error
    matrix, names, wanted = checked_matrix(matrix, class_names, ignore_class)
    classes = np.flatnonzero(wanted)
    counts = matrix[classes]
    iou = iou_from_confusion(matrix, ignore_class)[classes]
    figure = Figure(dpi=100)
    figure.set_layout_engine("none")  # whatever the user's style sets
    axes, bar = figure.add_axes((0, 0, 1, 1)), figure.add_axes((0, 0, 1, 1))
    cell = _cell_size(len(names))
    _draw_cells(axes, bar, counts, classes, normalize)
    _draw_names(axes, names, classes, iou, cell)
    (total,), mean = count_texts([counts.sum()]), score_text(mean_of_known(iou))
    title = f"{total} pixels, mean IoU {mean}"
    axes.set_title(title, loc="left", fontsize=11, pad=22)
    width, height = cell * len(names), cell * len(classes)
    bar_height = min(height, 4)
    bar_box = width + 0.65, height - bar_height, 0.16, bar_height
    _place(figure, [(axes, (0, 0, width, height)), (bar, bar_box)])
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _draw_cells(
    axes: Axes, bar: Axes, counts: np.ndarray, classes: np.ndarray, normalize: bool
) -> None:
    """Draws colors and their bar; numbers and lines if there is room."""
    from matplotlib.colors import LogNorm, Normalize

    labeled = counts.sum(axis=1, keepdims=True)
    positive = counts[counts > 0]
    norm: Normalize = Normalize(0, 1)
    if normalize or not positive.size:
        values = ratio(counts, labeled)
    else:
        # Most pixels belong to few classes: a linear scale would show only those.
        lowest, highest = positive.min(), max(positive.max(), 10 * positive.min())
        values, norm = np.maximum(counts, lowest), LogNorm(lowest, highest)
        values = np.where(labeled > 0, values, np.nan)
    size = counts.shape[1]
    colors = axes.pcolormesh(
        np.ma.masked_invalid(values),
        norm=norm,
        cmap=_color_map(),
        edgecolors=BLANK if size <= 2 * NUMBERS_UP_TO else "none",
        linewidth=0.8,
    )
    axes.figure.colorbar(colors, cax=bar, format="{x:.0%}" if normalize else None)
    bar.set_ylabel("share of labeled pixels" if normalize else "pixels")
    bar.spines[:].set_color(LINE)
    if size > NUMBERS_UP_TO:
        return
    style: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": 9}
    for i, row in enumerate(counts):
        if not labeled[i, 0]:
            axes.text(size / 2, i + 0.5, "not labeled", color=FAINT, **style)
            continue
        for j, count in enumerate(row):
            text = percent_text(values[i, j]) if normalize else _short(count)
            weight = "bold" if j == classes[i] else "normal"
            luminance = np.dot(colors.to_rgba(values[i, j])[:3], [0.21, 0.72, 0.07])
            color = "white" if luminance < 0.42 else INK
            axes.text(j + 0.5, i + 0.5, text, color=color, weight=weight, **style)


def _draw_names(
    axes: Axes, names: list[str], classes: np.ndarray, iou: np.ndarray, cell: float
) -> None:
    """Names rows and columns, ignored classes faintly; puts IoU on the right."""
    points = min(10, max(7, 60 * cell))
    step = int(np.ceil(1.1 * points / (72 * cell)))  # skips names that would overlap
    columns, rows = range(0, len(names), step), range(0, len(classes), step)
    style: dict[str, Any] = {"fontsize": points, "parse_math": False}
    axes.set_yticks([i + 0.5 for i in rows])
    axes.set_yticklabels([names[classes[i]] for i in rows], **style)
    right: dict[str, Any] = {
        "xycoords": axes.get_yaxis_transform(),
        "va": "center_baseline",
    }
    offset: dict[str, Any] = {"textcoords": "offset points", "fontsize": points}
    for i in rows:
        axes.annotate(score_text(iou[i], 2), (1, i + 0.5), (6, 0), **right, **offset)
    axes.annotate("IoU", (1, 1), (6, 4), "axes fraction", **offset)
    # A letter is about 0.6 times as wide as the font size.
    if max(map(len, names)) * 0.6 * points > 72 * cell * step:
        angle, va = (45, "top") if cell > 0.3 else (90, "center")
        style |= {"rotation": angle, "ha": "right", "va": va}
        style["rotation_mode"] = "anchor"
    axes.set_xticks([j + 0.5 for j in columns])
    labels = axes.set_xticklabels([names[j] for j in columns], **style)
    for j, label in zip(columns, labels, strict=True):
        if j not in classes:
            label.set_color(FAINT)
    axes.tick_params(length=0, pad=4)
    axes.grid(False)
    axes.spines[:].set_color(LINE)
    axes.invert_yaxis()
    axes.set_xlabel("predicted", fontsize=11)
    axes.set_ylabel("labeled", fontsize=11)


def _place(
    figure: Figure, boxes: list[tuple[Axes, tuple[float, float, float, float]]]
) -> None:
    """Makes the figure as large as its content.

    Args:
        figure: `matplotlib.figure.Figure`.
        boxes: List of axes and their place: left, bottom, width and height in inches,
            from any origin.
    """
    figure.set_size_inches(1, 1)
    for axes, box in boxes:
        axes.set_position(box)
    # The sizes of texts are known only once they are drawn.
    drawn = figure.get_tightbbox()
    left, bottom = drawn.x0 - MARGIN, drawn.y0 - MARGIN
    width, height = drawn.width + 2 * MARGIN, drawn.height + 2 * MARGIN
    figure.set_size_inches(width, height)
    for axes, (x, y, w, h) in boxes:
        place = (x - left) / width, (y - bottom) / height, w / width, h / height
        axes.set_position(place)


def _cell_size(num_classes: int) -> float:
    """Inches per cell: larger for few classes, and bounded for very many."""
    if num_classes <= NUMBERS_UP_TO:
        return min(0.9, max(0.55, 4 / num_classes))
    return min(0.4, max(0.13, 9 / num_classes), 24 / num_classes)


def _color_map() -> Colormap:
    """Magma from light to dark, of even lightness, and white instead of yellow at 0."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    share = np.linspace(0, 1, 256)
    white = np.clip(1 - 5 * share, 0, 1)[:, None] ** 2
    colors = colormaps["magma_r"](share)[:, :3]
    return ListedColormap(colors * (1 - white) + white).with_extremes(bad=BLANK)


def _short(count: float) -> str:
    """A count in four characters, such as 1.2k."""
    for unit in ("", "k", "M", "G", "T", "P"):
        if count < 999.5 or unit == "P":
            break
        count = count / 1000
    if 0 < count < 0.1:
        return "<0.1"
    digits = 0 if count >= 9.95 or (not unit and count == int(count)) else 1
    return f"{count:.{digits}f}{unit}"
