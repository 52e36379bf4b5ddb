"""Confusion matrices to look at."""

import numpy as np

from keras_trainfix.metrics.class_scores import iou_from_confusion, ratio
from keras_trainfix.metrics.tables import (
    checked_matrix,
    count_texts,
    mean_of_known,
    percent_text,
    score_text,
)

INK, FAINT = "0.15", "0.5"  # text in light cells; of ignored classes, empty rows
BLANK, LINE = "0.9", "0.8"  # rows without labels, and lines between cells; frames
MARGIN = 0.12  # inches around a picture
NUMBERS_UP_TO = 15  # classes: of more, numbers in the cells are too many to read


def save_confusion_plot(
    matrix, path=None, class_names=None, ignore_class=None, normalize=True
):
    """A picture of a confusion matrix, with the IoU of each class at its row.

    Rows without labels are grey. Up to 15 classes the cells hold their numbers.

    Args:
        matrix: Counts `(C, C)`, as for `class_table`.
        path: String or `pathlib.Path` of a file to save the picture in, in the format
            that its suffix names, or None. Defaults to `None`.
        class_names: List of strings, one for each class, or None for their numbers.
            Defaults to `None`.
        ignore_class: Integer, tuple of integers, or None: classes whose row to leave
            out. Their column stays, for predictions of them are errors. Defaults to
            `None`.
        normalize: Whether to show shares of the pixels of each label, or else counts,
            in colours on a logarithmic scale. Defaults to `True`.

    Returns:
        `matplotlib.figure.Figure`, which pyplot does not know of.

    Raises:
        ImportError: If there is no matplotlib.
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
            "`save_confusion_plot` needs matplotlib, and it could not be imported "
            f"({error}). Run `pip install matplotlib`. `class_table` and "
            "`confusion_table` do without."
        ) from error
    matrix, names, wanted = checked_matrix(matrix, class_names, ignore_class)
    classes = np.flatnonzero(wanted)
    counts = matrix[classes]
    iou = iou_from_confusion(matrix, ignore_class)[classes]
    figure = Figure(dpi=100)
    figure.set_layout_engine("none")  # a style of the user may ask for another
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


def _draw_cells(axes, bar, counts, classes, normalize):
    """Colours and their bar; numbers and lines where there is room."""
    from matplotlib.colors import LogNorm, Normalize

    labelled = counts.sum(axis=1, keepdims=True)
    seen = counts[counts > 0]
    if normalize or not seen.size:
        values, norm = ratio(counts, labelled), Normalize(0, 1)
    else:
        # In a picture most pixels are of few classes: a linear scale shows only those.
        lowest, highest = seen.min(), max(seen.max(), 10 * seen.min())
        values, norm = np.maximum(counts, lowest), LogNorm(lowest, highest)
        values = np.where(labelled > 0, values, np.nan)
    size = counts.shape[1]
    colors = axes.pcolormesh(
        np.ma.masked_invalid(values),
        norm=norm,
        cmap=_color_map(),
        edgecolors=BLANK if size <= 2 * NUMBERS_UP_TO else "none",
        linewidth=0.8,
    )
    axes.figure.colorbar(colors, cax=bar, format="{x:.0%}" if normalize else None)
    bar.set_ylabel("share of labelled pixels" if normalize else "pixels")
    bar.spines[:].set_color(LINE)
    if size > NUMBERS_UP_TO:
        return
    style = {"ha": "center", "va": "center_baseline", "fontsize": 9}
    for i, row in enumerate(counts):
        if not labelled[i, 0]:
            axes.text(size / 2, i + 0.5, "not labelled", color=FAINT, **style)
            continue
        for j, count in enumerate(row):
            text = percent_text(values[i, j]) if normalize else _short(count)
            weight = "bold" if j == classes[i] else "normal"
            luminance = np.dot(colors.to_rgba(values[i, j])[:3], [0.21, 0.72, 0.07])
            color = "white" if luminance < 0.42 else INK
            axes.text(j + 0.5, i + 0.5, text, color=color, weight=weight, **style)


def _draw_names(axes, names, classes, iou, cell):
    """Names at rows and columns, those of ignored classes faint; IoU at the right."""
    points = min(10, max(7, 60 * cell))
    step = int(np.ceil(1.1 * points / (72 * cell)))  # more classes than lines of text
    columns, rows = range(0, len(names), step), range(0, len(classes), step)
    style = {"fontsize": points, "parse_math": False}
    axes.set_yticks([i + 0.5 for i in rows])
    axes.set_yticklabels([names[classes[i]] for i in rows], **style)
    right = {"xycoords": axes.get_yaxis_transform(), "va": "center_baseline"}
    offset = {"textcoords": "offset points", "fontsize": points}
    for i in rows:
        axes.annotate(score_text(iou[i], 2), (1, i + 0.5), (6, 0), **right, **offset)
    axes.annotate("IoU", (1, 1), (6, 4), "axes fraction", **offset)
    # A letter is about 0.6 as wide as its font is high.
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
    axes.set_ylabel("labelled", fontsize=11)


def _place(figure, boxes):
    """Makes the figure as large as what is on it.

    Args:
        figure: `matplotlib.figure.Figure`.
        boxes: List of axes and where to have them: left, bottom, width, height in
            inches, from wherever.
    """
    figure.set_size_inches(1, 1)
    for axes, box in boxes:
        axes.set_position(box)
    # Of the texts, whose sizes are known only when they are drawn.
    drawn = figure.get_tightbbox()
    left, bottom = drawn.x0 - MARGIN, drawn.y0 - MARGIN
    width, height = drawn.width + 2 * MARGIN, drawn.height + 2 * MARGIN
    figure.set_size_inches(width, height)
    for axes, (x, y, w, h) in boxes:
        place = (x - left) / width, (y - bottom) / height, w / width, h / height
        axes.set_position(place)


def _cell_size(num_classes):
    """Inches: larger where there are few classes, and bounded for very many."""
    if num_classes <= NUMBERS_UP_TO:
        return min(0.9, max(0.55, 4 / num_classes))
    return min(0.4, max(0.13, 9 / num_classes), 24 / num_classes)


def _color_map():
    """Magma from light to dark, of even lightness, and white instead of yellow at 0."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    share = np.linspace(0, 1, 256)
    white = np.clip(1 - 5 * share, 0, 1)[:, None] ** 2
    colors = colormaps["magma_r"](share)[:, :3]
    return ListedColormap(colors * (1 - white) + white).with_extremes(bad=BLANK)


def _short(count):
    """A count in four characters, as 1.2k."""
    for unit in ("", "k", "M", "G", "T", "P"):
        if count < 999.5 or unit == "P":
            break
        count = count / 1000
    if 0 < count < 0.1:
        return "<0.1"
    digits = 0 if count >= 9.95 or (not unit and count == int(count)) else 1
    return f"{count:.{digits}f}{unit}"
