"""Markdown tables of a confusion matrix: one of the classes, one of the counts."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_trainfix.backend import to_numpy
from keras_trainfix.labels import ignored_ids
from keras_trainfix.labels.messages import shown
from keras_trainfix.labels.types import IgnoreClass, Tensor
from keras_trainfix.metrics.class_scores import (
    accuracy_from_confusion,
    dice_from_confusion,
    iou_from_confusion,
    wanted_classes,
)

NONE = "\N{EN DASH}"


def class_table(
    matrix: Tensor,
    class_names: Sequence[str] | None = None,
    ignore_class: IgnoreClass = None,
    include_background: bool = True,
) -> str:
    """A table of the classes, the worst first.

    The classes are sorted by IoU, and those that are neither labeled nor predicted come
    last. "mostly taken for" is the wrong class that most pixels of a class are
    predicted as, with its share of all pixels labeled with the class. The last line has
    the means over the classes that have a score, as `np.nanmean` computes them, and the
    number of labeled pixels.

    Where a pixel may have several classes, none is taken for another, and the share of
    a class is that of the pixels where it counts.

    Args:
        matrix: Counts `(C, C)` with labels as rows and predictions as columns, or
            tables `(C, 2, 2)` of classes of which a pixel may have several: an array,
            a list, or a tensor.
        class_names: List of strings, one for each class, or None to use numbers.
            Defaults to `None`.
        ignore_class: Integer, tuple of integers, or None: classes to leave out.
            Defaults to `None`.
        include_background: Whether class 0 has a row and enters the means. Its pixels
            are errors of other classes in any case. Defaults to `True`.

    Returns:
        String: a Markdown table, aligned for a terminal as well.

    Raises:
        ValueError: If `matrix` has another shape, or a number that is negative or not
            finite; if `class_names` is not one distinct name for each class; or if
            `ignore_class` leaves no class.

    Examples:
        >>> table = class_table([[8, 0], [1, 1]], class_names=["sky", "bird"])
        >>> print(table)  # doctest: +ELLIPSIS
        | class       |   IoU |  Dice | recall | precision | pixels |  share | mostly...
        | :---------- | ----: | ----: | -----: | --------: | -----: | -----: | :---...
        | bird        | 0.500 | 0.667 |  0.500 |     1.000 |      2 |  20.0% | sky (...
        | sky         | 0.889 | 0.941 |  1.000 |     0.889 |      8 |  80.0% | ...
        | mean, total | 0.694 | 0.804 |  0.750 |     0.944 |     10 | 100.0% | ...
    """
    matrix, names, wanted = checked_matrix(matrix, class_names, ignore_class, True)
    multi_label = matrix.ndim == 3
    if not multi_label:
        matrix = np.where(wanted[:, None], matrix, 0)
    scores = [
        iou_from_confusion(matrix, ignore_class),
        dice_from_confusion(matrix, ignore_class),
        accuracy_from_confusion(matrix, ignore_class),
        accuracy_from_confusion(matrix.swapaxes(-1, -2), ignore_class),  # precision
    ]
    shown_classes = wanted & wanted_classes(len(matrix), (), include_background)
    scores = [np.where(shown_classes, score, np.nan) for score in scores]
    labeled = matrix[:, 1].sum(axis=-1) if multi_label else matrix.sum(axis=1)
    counted = matrix.sum(axis=(1, 2)) if multi_label else [labeled.sum()] * len(matrix)
    labeled = np.where(shown_classes, labeled, 0)
    total = labeled.sum()
    pixels = count_texts([*labeled, total])
    rows = []
    for i in np.argsort(scores[0], kind="stable"):  # NaN is last
        if shown_classes[i]:
            rows.append(
                [
                    _in_markdown(names[i]),
                    *(score_text(score[i]) for score in scores),
                    pixels[i],
                    percent_text(labeled[i] / counted[i], 1) if counted[i] else NONE,
                    NONE if multi_label else _taken_for(matrix[i], i, names),
                ]
            )
    is_whole = include_background and not multi_label and total
    share = percent_text(1, 1) if is_whole else NONE
    means = [score_text(mean_of_known(score)) for score in scores]
    rows.append(["mean, total", *means, pixels[-1], share, ""])
    header = ["class", "IoU", "Dice", "recall", "precision", "pixels", "share"]
    if multi_label:
        return markdown_table(header, [row[:-1] for row in rows], left=(0,))
    return markdown_table([*header, "mostly taken for"], rows, left=(0, 7))


def confusion_table(matrix: Tensor, class_names: Sequence[str] | None = None) -> str:
    """A table of the counts themselves.

    Args:
        matrix: Counts, as for `class_table`.
        class_names: List of strings, one for each class, or None to use numbers.
            Defaults to `None`.

    Returns:
        String: a Markdown table with labels as rows and predictions as columns,
        aligned for a terminal as well. For tables `(C, 2, 2)`, a row for each class
        with the pixels that have it and are predicted as it, and so on.

    Raises:
        ValueError: As `class_table`.

    Examples:
        >>> print(confusion_table([[1200, 3], [0, 45]], class_names=["sky", "bird"]))
        | label \\ predicted |   sky | bird |
        | :---------------- | ----: | ---: |
        | sky               | 1,200 |    3 |
        | bird              |     0 |   45 |
    """
    matrix, names, _ = checked_matrix(matrix, class_names, multi_label=True)
    names = [_in_markdown(name) for name in names]
    cells = np.reshape(count_texts(matrix.ravel()), (len(names), -1))
    header = ["label \\ predicted", *names]
    if matrix.ndim == 3:
        header = ["class", "neither", "predicted only", "labeled only", "both"]
    rows = [[name, *row] for name, row in zip(names, cells, strict=True)]
    return markdown_table(header, rows, left=(0,))


def checked_names(
    class_names: Sequence[str] | None, num_classes: int
) -> list[str] | None:
    """`class_names` as a list of distinct strings, or None.

    Raises:
        ValueError: If they are not one for each class.
    """
    if class_names is None:
        return None
    names = list(class_names)
    is_fitting = len(names) == num_classes == len(set(names))
    if isinstance(class_names, str) or not is_fitting:
        raise ValueError(
            f"`class_names` must be {num_classes} different names, one for each class. "
            f"Received: class_names={class_names!r}. Name ignored classes as well."
        )
    return [str(name) for name in names]


def checked_matrix(
    matrix: Tensor,
    class_names: Sequence[str] | None,
    ignore_class: IgnoreClass = None,
    multi_label: bool = False,
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """The matrix as int64 or float64, the names, and which classes are wanted.

    Raises:
        ValueError: As `class_table`.
    """
    try:
        counts = to_numpy(matrix) if ops.is_tensor(matrix) else np.asarray(matrix)
        counts = counts.astype("int64" if counts.dtype.kind in "biu" else "float64")
        shape, received = counts.shape, f"matrix of shape {counts.shape}"
    except (TypeError, ValueError) as error:
        shape, received = (), f"matrix of type {type(matrix).__name__} ({error})"
    if len(shape) == 3 and shape[1:] == (2, 2) and not multi_label:
        raise ValueError(
            "`matrix` must be counts of shape (C, C): only classes that exclude each "
            f"other are taken for each other. Received: {received}. Use `class_table`."
        )
    is_square = len(shape) == 2 and shape[0] == shape[1]
    if not (is_square or (len(shape) == 3 and shape[1:] == (2, 2))) or not shape[0]:
        raise ValueError(
            "`matrix` must be counts of shape (C, C), labels by predictions. Received: "
            f"{received}. Pass the result of `confusion_matrix`, not labels and "
            "predictions."
        )
    wrong = ~(np.isfinite(counts) & (counts >= 0))
    if wrong.any():
        place = np.argwhere(wrong)[0].tolist()
        raise ValueError(
            "`matrix` must be finite numbers, 0 or more. Received: matrix with "
            f"{counts[tuple(place)]} at {place}. If it is NaN or -1 everywhere, "
            "compiled code, which cannot raise, received invalid input: call "
            "`confusion_matrix` on one batch to see which."
        )
    size = len(counts)
    names = checked_names(class_names, size) or [str(i) for i in range(size)]
    ignored = ignored_ids(ignore_class)
    wanted = wanted_classes(size, ignored)
    if not wanted.any():
        raise ValueError(
            "`ignore_class` must leave at least one class. Received: "
            f"ignore_class={shown(ignored)}, matrix of shape {shape}. Pass only the "
            "ids of void."
        )
    return counts, names, wanted


def mean_of_known(values: np.ndarray) -> float:
    """The mean of the values that are not NaN; NaN if there are none."""
    known = values[~np.isnan(values)]
    return known.mean() if known.size else np.nan


def _taken_for(row: np.ndarray, index: int, names: list[str]) -> str:
    """The wrong class that most pixels in a row of the matrix are predicted as."""
    wrong = np.where(np.arange(len(row)) == index, 0, row)
    most = wrong.argmax()
    if not wrong[most]:
        return NONE
    return f"{_in_markdown(names[most])} ({percent_text(wrong[most] / row.sum())})"


def score_text(value: float, digits: int = 3) -> str:
    """A score, or a dash for NaN."""
    return NONE if np.isnan(value) else f"{value:.{digits}f}"


def percent_text(share: float, digits: int = 0) -> str:
    """A share in percent that never rounds to 0% or 100%."""
    step = 10.0**-digits
    if 0 < share < step / 100:
        return f"<{step:.{digits}f}%"
    if 1 - step / 100 < share < 1:
        return f">{100 - step:.{digits}f}%"
    return f"{share:.{digits}%}"


def count_texts(values: ArrayLike) -> list[str]:
    """Counts, all with as many decimals as show three digits of the largest."""
    values, decimals = np.asarray(values), 0
    if (values != np.rint(values)).any():
        decimals = max(0, 2 - int(np.floor(np.log10(values.max()))))
    return [_count(value, decimals) for value in values.tolist()]


def _count(value: float, decimals: int) -> str:
    least = 10.0**-decimals
    if 0 < value < least / 2:
        return f"<{least:.{decimals}f}"
    # An integer count may be too large for a float to hold exactly.
    return f"{value:,.{decimals}f}" if decimals else f"{round(value):,}"


def _in_markdown(name: str) -> str:
    """A name that fits into one cell of a table."""
    return " ".join(name.split()).replace("|", "\\|")


def markdown_table(
    header: list[str], rows: Iterable[list[str]], left: Collection[int]
) -> str:
    """A Markdown table with padded cells; columns in `left` are left-aligned."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rules = [
        ":" + "-" * (width - 1) if i in left else "-" * (width - 1) + ":"
        for i, width in enumerate(widths)
    ]
    lines = [
        [
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in (header, rules, *rows)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
