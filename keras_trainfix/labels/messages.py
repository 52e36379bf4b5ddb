"""Error messages about labels that are neither a class nor ignored."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels.types import Tensor
from keras_trainfix.messages import count

THINNEST = 8  # pixels along an axis of a volume; there may be fewer classes


class LabelError(ValueError):
    """Labels that `read_labels` cannot read."""

    # TensorFlow would raise another class from compiled code, which is no ValueError.
    ag_pass_through = True


def invalid_labels_message(
    raw: Tensor,
    invalid: Tensor,
    is_rows: bool,
    num_classes: int,
    ignored: Sequence[int],
    axis: int,
    multi_label: bool | None = False,
) -> str:
    """The message about labels that are neither a class nor ignored.

    Args:
        raw: The labels as they arrived.
        invalid: Boolean tensor of the pixel shape: the labels in question.
        is_rows: Whether the labels are one-hot or soft rows.
        num_classes: Integer, 2 or more.
        ignored: The ignored ids.
        axis: Integer, the class axis of rows.
        multi_label: Whether a pixel may have several classes; None where the caller
            has no such argument.

    Returns:
        String: what was expected, the most frequent values found, and a way out.
    """
    raw = backend.to_numpy(raw) if ops.is_tensor(raw) else raw
    raw = raw if raw.dtype.kind in "biu" else raw.astype("float64")
    invalid = backend.to_numpy(invalid)
    if raw.size == invalid.size:
        wrong = raw.reshape(invalid.shape)[invalid]
    else:
        wrong = np.moveaxis(raw, axis, -1)[invalid]
    if is_rows:
        outside = wrong[~((wrong >= 0) & (wrong <= 1))]
        if multi_label is False and _lacks_axis(raw, axis):
            return _lacks_axis_message(raw, outside, wrong, axis)
        if not outside.size:
            return _sums_message(wrong, multi_label is not None)
        wrong = outside
    expected = (
        "between 0 and 1" if is_rows else f"a class, 0 to {num_classes - 1},"
    ) + f" or ignored, ignore_class={shown(ignored)}"
    return (
        f"`y_true` must be {expected}. Received: "
        f"{count(int(invalid.sum()), 'other label')}: {_table(wrong)}. "
        f"{_way_out(raw, np.unique(wrong), is_rows, num_classes, ignored)}"
    )


def not_numbers_message(y: Any) -> str:
    """The message about labels that are no numbers.

    Args:
        y: NumPy array, or a tensor of strings.
    """
    dtype = getattr(y.dtype, "name", y.dtype)
    first = next((item for item in np.ravel(y)[:1].tolist()), None)
    is_text = isinstance(first, (str, bytes))
    way_out = (
        "For class ids: `names, y_true = np.unique(y_true, return_inverse=True)`."
        if is_text
        else "Pass an array of integers or floats, such as `np.asarray(y_true, "
        "dtype='int32')`."
    )
    return (
        "`y_true` must be numbers. Received: "
        + ("y_true=None. " if first is None else f"y_true.dtype={dtype}, {first!r}. ")
        + way_out
    )


def _table(values: np.ndarray) -> str:
    """The most frequent values, and how often they occur."""
    values, counts = np.unique(values, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:5]
    digits = "d" if values.dtype.kind in "iu" else ".12g"
    found = ", ".join(
        f"{values[i]:{digits}} ({count(int(counts[i]), 'time')})" for i in most
    )
    return found + (f" and {len(values) - 5} more values" if len(values) > 5 else "")


def _lacks_axis(raw: np.ndarray, axis: int) -> bool:
    """Whether rows are rather labels of pixels, whose class axis was squeezed away."""
    is_volume = raw.dtype.kind in "biu" and raw.shape[axis] >= THINNEST
    if raw.ndim < 3 or (raw.ndim > 3 and not is_volume):
        return False
    if not (np.isfinite(raw).all() and (raw == np.floor(raw)).all()):
        return False
    is_one_hot = (raw == 1).sum(axis) == 1
    is_one_hot &= (raw == 0).sum(axis) == raw.shape[axis] - 1
    return bool(is_one_hot.sum() < 0.5 * raw.any(axis).sum())


def _lacks_axis_message(
    raw: np.ndarray, outside: np.ndarray, wrong: np.ndarray, axis: int
) -> str:
    is_last = axis in (-1, raw.ndim - 1)
    which = "last axis" if is_last else f"axis {axis}"
    kept = (*raw.shape, 1) if is_last else tuple(np.expand_dims(raw, axis).shape)
    sums = wrong.sum(-1, dtype="float64")
    what = (
        _table(outside)
        if outside.size
        else f"sums from {sums.min():.6g} to {sums.max():.6g}, not 1"
    )
    return (
        f"`y_true` has the shape of `y_pred`, {raw.shape}, so its {which} is read as "
        f"the classes. Received: {count(len(wrong), 'row')} with {what}. If it holds "
        f"one label for each pixel, keep the {which} of `y_pred`: {kept}, without "
        "`Reshape` or `squeeze`. If a pixel may have several classes, pass "
        "`multi_label=True`."
    )


def _sums_message(rows: np.ndarray, has_multi_label: bool) -> str:
    sums = rows.sum(-1, dtype="float64")
    several = (
        "pass `multi_label=True`" if has_multi_label else "count each class separately"
    )
    return (
        "The rows of one-hot and soft labels must sum to 1, or be 0 for void. "
        f"Received: {count(len(sums), 'row')} of y_true with sums from "
        f"{sums.min():.6g} to {sums.max():.6g}. If a pixel may have several classes, "
        f"{several}. If `y_true` holds one label per pixel, its "
        "shape only happens to equal that of `y_pred`, or `y_pred` lacks a class axis "
        "of size 1."
    )


def _way_out(
    raw: np.ndarray,
    wrong: np.ndarray,
    is_rows: bool,
    num_classes: int,
    ignored: Sequence[int],
) -> str:
    if (is_rows or num_classes == 2) and np.isin(raw, (0, 255)).all():
        return (
            "If it is a mask saved as 0 and 255, divide it by 255; if 255 marks void, "
            f"pass ignore_class={shown((*ignored, 255))}."
        )
    void = tuple(index for index in (255, -1, -100) if index in wrong)
    if void:
        return f"If they mark void, pass ignore_class={shown((*ignored, *void))}."
    if is_rows:
        return "One-hot and soft labels are probabilities: rescale `y_true`."
    if not np.array_equal(wrong, np.floor(wrong)) or not np.isfinite(wrong).all():
        return (
            "Sparse labels are whole numbers: do not rescale them, and resize masks "
            "with interpolation='nearest'."
        )
    if wrong[-1] == num_classes and not (raw == 0).any():
        return "If `y_true` counts classes from 1, subtract 1."
    if wrong[0] < 0:
        return "If they mark void, add them to `ignore_class`."
    return (
        f"If they are classes, the model needs {int(wrong[-1]) + 1} outputs "
        "(num_classes too small); if they mark void, add them to `ignore_class`."
    )


def shown(ids: Sequence[int]) -> Any:
    """`ids` as a user would write `ignore_class`."""
    return ids[0] if len(ids) == 1 else ids or None
