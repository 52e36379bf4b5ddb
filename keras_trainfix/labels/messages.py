"""Error messages about labels that are neither a class nor ignored."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels.types import Tensor


def invalid_labels_message(
    raw: Tensor,
    invalid: Tensor,
    is_rows: bool,
    num_classes: int,
    ignored: Sequence[int],
    axis: int,
    has_multi_label: bool = True,
) -> str:
    """The message about labels that are neither a class nor ignored.

    Args:
        raw: The labels as they arrived.
        invalid: Boolean tensor of the pixel shape: the labels in question.
        is_rows: Whether the labels are one-hot or soft rows.
        num_classes: Integer, 2 or more.
        ignored: The ignored ids.
        axis: Integer, the class axis of rows.
        has_multi_label: Whether the caller has an argument `multi_label`.

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
        if not outside.size:
            return _sums_message(wrong, has_multi_label)
        wrong = outside
    values, counts = np.unique(wrong, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:5]
    digits = "d" if values.dtype.kind in "iu" else ".12g"
    found = ", ".join(f"{values[i]:{digits}} ({counts[i]} times)" for i in most)
    rest = f" and {len(values) - 5} more values" if len(values) > 5 else ""
    expected = (
        "between 0 and 1" if is_rows else f"a class, 0 to {num_classes - 1},"
    ) + f" or ignored, ignore_class={shown(ignored)}"
    return (
        f"`y_true` must be {expected}. Received: {invalid.sum()} other labels: "
        f"{found}{rest}. {_way_out(raw, values, is_rows, num_classes, ignored)}"
    )


def _sums_message(rows: np.ndarray, has_multi_label: bool) -> str:
    sums = rows.sum(-1, dtype="float64")
    several = (
        "pass `multi_label=True`" if has_multi_label else "count each class separately"
    )
    return (
        "The rows of one-hot and soft labels must sum to 1, or be 0 for void. "
        f"Received: {len(sums)} rows of y_true with sums from {sums.min():.6g} to "
        f"{sums.max():.6g}. If a pixel may have several classes, {several}. If "
        "`y_true` holds one label per pixel, its shape only happens to equal that of "
        "`y_pred`, or `y_pred` lacks a class axis of size 1."
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
