"""What is wrong with the labels: one dict that all checks of labels share."""

from typing import Any

import numpy as np

from keras_trainfix.data import is_text
from keras_trainfix.diagnosis.observe.loss import is_keras_region, reader_of
from keras_trainfix.diagnosis.observe.targets import VOID
from keras_trainfix.diagnosis.observe.variation import is_finite
from keras_trainfix.losses.distance_loss import DistanceLoss

# Kinds of losses that compare classes, and those that need rows.
CLASS_LOSSES = (
    *("binary", "categorical", "sparse", "masked", "region", "distance", "sum"),
)
ROW_LOSSES = ("categorical", "divergence")
ROUNDING = 0.01
A_FEW = 0.005  # share of targets
FEW_ROWS = 0.05  # share of rows
# Losses whose error makes no sense for some targets: which ones, and why.
UNDEFINED = {
    "mean_absolute_percentage_error": (
        lambda y: np.abs(y) <= 1e-4 * np.abs(y).max(),
        "percent",
    ),
    "mean_squared_logarithmic_error": (lambda y: y <= -1, "logarithm"),
}


def label_faults(view: Any) -> dict[str, dict]:
    """What is wrong with the labels: a dict of codes to their evidence.

    Checks read it as `view.label_faults`, where it is computed once, so that each fault
    has one name.

    Args:
        view: `OutputView`.
    """
    if has_text(view):
        values = sorted({str(value) for value in view.targets.ravel().tolist()})
        evidence = {"case": "text", "distinct": len(values), "first": values[0][:40]}
        return {"KTF206": evidence}
    faults = _faults(view)
    if view.refusal is None:
        return faults or _faults_of_void(view)
    if is_finite(view.targets) and not faults.keys() - {"KTF206"}:
        return {"KTF206": {"case": "refused", "error": view.refusal}}
    return faults


def unreadable(view: Any) -> str | None:
    """Why no step can be made with the targets of an `OutputView`, or None."""
    if has_text(view):
        return "the targets are text (KTF206)"
    if view.refusal is not None:
        codes = list(view.label_faults) or ["KTF113"]
        return f"the loss cannot read the labels ({codes[0]})"
    if codes := list(_faults_of_void(view)):
        return f"the loss ignores all labels ({codes[0]})"
    return None


def _faults(view):
    targets = view.counted_targets
    if targets is None:
        return {}
    kind = view.loss.kind
    if kind in ("regression", "custom", "none"):
        return _faults_of_regression(view, targets)
    if kind not in (*CLASS_LOSSES, *ROW_LOSSES):
        return {}
    if targets.rows is None:
        return _faults_of_labels(view, targets)
    return _faults_of_rows(view, targets)


def has_text(view: Any) -> bool:
    """Whether the targets of an `OutputView` are text that no loss of ours can read."""
    is_compiled = getattr(view.model, "optimizer", None) is not None
    readers = ("custom", "none") if is_compiled else ()
    return is_text(view.targets) and view.loss.kind not in readers


def _faults_of_void(view):
    """Labels all of which our loss ignores."""
    labels = view.labels
    if reader_of(view.loss.loss) is None or labels is None or labels.numbers is None:
        return {}
    if not labels.void.all():
        return {}
    values = np.unique(labels.numbers)
    if np.array_equal(values, (0, 255)):
        share = float((labels.numbers > 0).mean())
        return {"KTF123": {"case": "scale", "largest": 255.0, "share": share}}
    return {"KTF206": {"case": "void", "values": [float(v) for v in values[:5]]}}


def _faults_of_regression(view, targets):
    values, kind = targets.values, view.loss.kind
    if view.loss.name in UNDEFINED:
        lowest, word = UNDEFINED[view.loss.name]
        share = float(targets.counts[lowest(values)].sum() / targets.counts.sum())
        if share > A_FEW:
            return {"KTF206": {"case": word, "share": share}}
    if view.head.is_probability and np.array_equal(values, (0, 255)):
        return {"KTF123": _scale(targets, 255)}
    if kind != "regression" or view.head.activation != "softmax":
        return {}
    is_one_hot = targets.rows is not None and view.labels.form == "one-hot"
    if is_one_hot and targets.units == targets.rows.shape[1] >= 3:
        return {"KTF206": {"case": "regression loss", "classes": targets.units}}
    if targets.rows is None and targets.units > 1 and _whole(values).all():
        return {"KTF206": {"case": "ids", "units": targets.units}}
    return {}


def _faults_of_labels(view, targets):
    values, kind, units = targets.values, view.loss.kind, targets.units
    outside = (values < 0) | (values > 1)
    if not _whole(values).all():
        is_one = units == 1 and kind != "sparse"
        if is_one and not outside.any():
            return _tiny(targets)
        if is_one:
            return {"KTF206": _real(targets, outside)}
        return {"KTF206": _real(targets, ~_whole(values))}
    wants_rows = kind in ("binary", *ROW_LOSSES) or is_keras_region(view.loss)
    if wants_rows and units > 1:
        return {"KTF206": {"case": "ids", "units": units}}
    return _faults_of_ids(view, targets)


def _faults_of_ids(view, targets):
    values, number, units = targets.values, targets.classes, targets.units
    known = (values >= 0) & (values < number)
    if known.all():
        if targets.is_mask and units == 1 and not values.any():
            if 255 in view.loss.ignore_class and 255 in view.labels.numbers:
                share = float((view.labels.numbers > 0).mean())
                return {"KTF123": {"case": "ignored", "largest": 255.0, "share": share}}
            return {"KTF123": {"case": "zeros", "largest": 0.0}}
        return {}
    if number == 2 and _is_scaled(targets):
        return {"KTF123": _scale(targets, 255)}
    void = np.isin(values, VOID) & ~known
    if 254 in values:  # all shades of gray
        void &= values != 255
    rest = values[~void]
    is_shifted = -1 in values and len(values) == number and not (rest >= number).any()
    if np.array_equal(values, (-1, 1)) or (is_shifted and number > 2):
        return {"KTF121": _out_of_range(targets, ~known)}
    faults = {}
    if void.any():
        faults["KTF122"] = {
            "void": [int(v) for v in values[void]],
            "share": targets.share(void),
            "classes": number,
        }
    unknown = ~known & ~void
    if not unknown.any():
        return faults
    positive = rest[rest >= 0]
    if len(positive) > number:
        # A stray id among the classes is not the same as more classes than units.
        is_dense = positive[0] <= 1 and positive[-1] < 2 * len(positive)
        if is_dense and (units > 1 or len(positive) <= 1000):
            classes = int(positive[-1]) + 1
            faults["KTF205"] = {"classes": classes, "units": units}
        elif units > 1:
            faults["KTF121"] = _out_of_range(targets, unknown)
        else:
            return {"KTF206": _real(targets, (values < 0) | (values > 1))}
    else:
        faults["KTF121"] = _out_of_range(targets, unknown)
    return faults


def _faults_of_rows(view, targets):
    values, kind, rows = targets.values, view.loss.kind, targets.rows
    if kind == "sparse":
        case = "one-hot" if np.isin(values, (0, 1)).all() else "rows"
        return {"KTF206": {"case": case, "columns": rows.shape[1]}}
    with_maps = (1 + targets.units, 2 * targets.units)
    if isinstance(reader_of(view.loss.loss), DistanceLoss) and (
        rows.shape[1] in with_maps
    ):
        return {}
    if rows.shape[1] != targets.units:
        is_hot = np.isin(values, (0, 1, *VOID)).all()
        return {"KTF205": _columns(targets)} if is_hot else {}
    if np.array_equal(values, (0, 255)):
        return {"KTF123": _scale(targets, 255)}
    if np.isin(values, (0, 1)).all():
        several = float((rows.sum(1) > 1).mean())
        is_exclusive = view.head.activation == "softmax" or view.loss.from_logits
        if kind == "categorical" and is_exclusive and several > FEW_ROWS:
            return {"KTF206": {"case": "several", "share": several, "multi_hot": True}}
        return _zero_rows(view, targets)
    if 0 in values and np.isin(values, (0, 1, *VOID)).all():
        void = np.isin(values, VOID)
        share = float(np.isin(rows, VOID).any(1).mean())
        ids = [int(v) for v in values[void]]
        return {"KTF124": {"case": "void", "void": ids, "share": share}}
    if _tiny(targets):
        return _tiny(targets)
    # Rows that are a class times an advantage are a known use of this loss.
    if kind == "categorical" and ((rows != 0).sum(1) <= 1).all():
        return {}
    outside = (values < 0) | (values > 1)
    if outside.any():
        return {"KTF206": _real(targets, outside)}
    sums = rows.sum(1)
    is_off = (np.abs(sums - 1) > 5 * ROUNDING) & (sums > 0)
    if kind == "categorical" and is_off.mean() > FEW_ROWS:
        share = float(is_off.mean())
        return {"KTF206": {"case": "sums", "share": share}}
    return {}


def _zero_rows(view, targets):
    loss, head = view.loss, view.head
    exclusive = head.activation == "softmax" or bool(loss.from_logits)
    counts = loss.kind == "categorical" or is_keras_region(loss)
    share = float((targets.rows == 0).all(1).mean())
    if share and counts and exclusive:
        return {"KTF124": {"case": "zero rows", "void": [], "share": share}}
    return {}


def _is_scaled(targets):
    """Whether it is a mask of 0 and 255, perhaps with a soft border."""
    values = targets.values
    if np.array_equal(values, (0, 255)):
        return True
    ends = np.isin(values, (0, 255))
    is_grey = values[0] == 0 and values[-1] == 255 and len(values) > 10
    return targets.is_mask and is_grey and targets.share(ends) > 0.9


def _tiny(targets):
    largest = float(np.abs(targets.values).max())
    if len(targets.values) <= 2 and np.isclose(largest, 1 / 255, rtol=0.02):
        return {"KTF123": _scale(targets, 1 / 255)}
    return {}


def _scale(targets, largest):
    share = targets.share(targets.values > 0)
    return {"case": "scale", "largest": float(largest), "share": share}


def _real(targets, wrong):
    return {
        "case": "real",
        "share": targets.share(wrong),
        "lowest": float(targets.values[0]),
        "highest": float(targets.values[-1]),
        "distinct": len(targets.values),
    }


def _columns(targets):
    return {"classes": int(targets.rows.shape[1]), "units": targets.units}


def _out_of_range(targets, unknown):
    return {
        "classes": targets.classes,
        "unknown": targets.table(unknown),
        "share": targets.share(unknown),
        "lowest": int(targets.values[0]),
        "highest": int(targets.values[-1]),
    }


def _whole(values):
    return values == np.floor(values)
