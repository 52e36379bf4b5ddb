"""What a model is for, from its loss, its head and its targets."""

from typing import NamedTuple

import numpy as np

CLASSIFIES = ("binary", "categorical", "sparse", "masked", "region", "sum", "hinge")

VOID = (255, -1)  # ids that are hardly ever a class


class Labels(NamedTuple):
    """What targets are, by their values.

    Attributes:
        form: `"real"`, `"binary"` (0 and 1), `"ids"` (few whole numbers), `"one-hot"`,
            `"multi-hot"` or `"soft"` (rows of probabilities).
        classes: Sorted list of the ids that occur, for `"binary"` and `"ids"`; of the
            columns that are some row's largest, for rows; else empty.
    """

    form: str
    classes: list


def label_form(targets, shape, ignored=()):
    """The `Labels` of targets for predictions of a shape.

    Args:
        targets: NumPy array.
        shape: The shape of the predictions.
        ignored: Ids of void, which are left out.

    Returns:
        `Labels`.
    """
    targets = np.asarray(targets)
    if targets.dtype.kind not in "biuf":
        return Labels("real", [])
    is_rows = targets.ndim == len(shape) and targets.ndim > 1 and targets.shape[-1] > 1
    if is_rows and targets.shape[-1] == shape[-1]:
        rows = targets.reshape(-1, targets.shape[-1]).astype("float64")
        rows = rows[~np.isin(rows, [i for i in ignored if i not in (0, 1)]).any(1)]
        rows = rows[np.isfinite(rows).all(1)]
        plain = rows[~np.isin(rows, VOID).any(1)]  # unknown to the loss, and void yet
        if plain.size and (plain >= 0).all() and (plain <= 1).all():
            rows = plain
        in_range = rows.size and (rows >= 0).all() and (rows <= 1).all()
        sums = rows.sum(1)
        if in_range:
            rows, sums = rows[sums > 0], sums[sums > 0]
            if np.isin(rows, (0, 1)).all():
                form = "one-hot" if (sums == 1).all() else "multi-hot"
            else:
                form = "soft" if np.allclose(sums, 1, atol=0.01) else "real"
            return Labels(form, sorted(set(rows.argmax(1).tolist())))
        return Labels("real", [])
    values = targets[np.isfinite(targets)] if targets.dtype.kind == "f" else targets
    values = np.unique(values[~np.isin(values, ignored)])
    if not values.size or (values != np.floor(values)).any():
        return Labels("real", [])
    if np.isin(values, (0, 1)).all():
        return Labels("binary", values.astype(int).tolist())
    units = shape[-1] if len(shape) > 1 else 1
    few = len(values) <= max(20, 0.05 * targets.size)
    # One whole number for several units is the number of a unit.
    few |= 1 < units >= values.max() and not is_rows
    if few and values.min() >= -1 and values.max() <= max(1000, units):
        return Labels("ids", values.astype(int).tolist())
    return Labels("real", [])


def infer_task(loss, head, labels, shape):
    """What an output is for.

    Args:
        loss: `LossFacts`.
        head: `Head`.
        labels: `Labels`, or None without targets.
        shape: The shape of the predictions.

    Returns:
        `"regression"`, `"binary classification"`, `"multi-class classification"`,
        `"multi-label classification"` or `"unknown"`; of images `"segmentation"` in
        place of the classifications, of sequences with `" of sequences"`.
    """
    form = labels.form if labels else None
    is_classes = form in ("one-hot", "multi-hot", "soft", "ids", "binary")
    if loss.kind in CLASSIFIES and form != "real":
        kind = "classification"
    elif loss.kind in ("regression", "count", "similarity", "none", "custom"):
        squashed = head.is_probability
        kind = "classification" if is_classes and squashed else "regression"
        if loss.kind in ("none", "custom") and form is None:
            return "unknown"
    elif form == "real":
        kind = "regression"
    else:
        kind = "classification"
    if kind == "regression":
        return kind
    if len(shape) >= 4:
        return "segmentation"
    if form == "multi-hot":
        kind = "multi-label classification"
    elif head.units == 1 or form == "binary":
        kind = "binary classification"
    else:
        kind = "multi-class classification"
    return kind + (" of sequences" if len(shape) == 3 else "")
