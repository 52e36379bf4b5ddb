"""What is wrong with labels that are neither a class nor ignored, in words."""

import numpy as np
from keras import ops

from keras_trainfix import backend


def invalid_labels_message(
    raw, invalid, is_rows, num_classes, ignored, axis, has_multi_label=True
):
    """The message about labels that are neither a class nor ignored."""
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


def _sums_message(rows, has_multi_label):
    sums = rows.sum(-1, dtype="float64")
    several = (
        "pass `multi_label=True`" if has_multi_label else "count each class on its own"
    )
    return (
        "The rows of one-hot and soft labels must sum to 1, or be 0 for void. "
        f"Received: {len(sums)} rows of y_true with sums from {sums.min():.6g} to "
        f"{sums.max():.6g}. If a pixel may have several classes, {several}; if "
        "`y_true` holds one label a pixel, no rows, its shape is that of `y_pred` by "
        "chance, or `y_pred` lacks a class axis of size 1."
    )


def _way_out(raw, wrong, is_rows, num_classes, ignored):
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


def shown(ids):
    """`ids` as the user would write `ignore_class`."""
    return ids[0] if len(ids) == 1 else ids or None
