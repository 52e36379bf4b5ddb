"""Checks of the labels: whether they are what the loss takes them for."""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.diagnosis.registry import check, found
from keras_trainfix.losses.masked_loss import MaskedLoss
from keras_trainfix.losses.weighted_sum import WeightedSum

# The kinds of losses that compare classes, and those of them that want rows.
CLASS_LOSSES = ("binary", "categorical", "sparse", "masked", "region", "sum")
ROW_LOSSES = ("categorical", "divergence")
VOID = (255, -1)
MOST_SHOWN = 8
FEW_MASKS = 16  # without a foreground they may be chance
ROUNDING = 0.01


class Targets(NamedTuple):
    """Targets by the side of the predictions.

    Attributes:
        units: Integer, the size of the class axis of the predictions.
        rows: Float array `(places, columns)` with a column a class, or None where
            there is one label a place.
        labels: Array `(places,)`, or None where there are rows.
        values: The distinct numbers among them, sorted.
        counts: How often each occurs.
        is_mask: Whether the places are those of images.
    """

    units: int
    rows: Any
    labels: Any
    values: np.ndarray
    counts: np.ndarray
    is_mask: bool

    @property
    def classes(self):
        """How many classes the units tell apart."""
        return max(2, self.units)

    def share(self, chosen):
        """Share of the numbers whose value is among the chosen, a mask of `values`."""
        return float(self.counts[chosen].sum() / self.counts.sum())

    def table(self, chosen):
        """`[[value, count], ...]` of the chosen values, the first few."""
        pairs = zip(self.values[chosen], self.counts[chosen], strict=True)
        return [[_number(v), int(c)] for v, c in list(pairs)[:MOST_SHOWN]]


def read_targets(probe, drop_ignored=True):
    """The `Targets` of a probe, or None where they do not fit the predictions.

    Places whose weight is 0 are left out, and so are ignored labels.
    """
    if probe.targets is None:
        return None
    targets = np.asarray(probe.targets)
    if targets.dtype.kind not in "biuf" or not targets.size:
        return None
    shape = probe.predictions.shape
    shape = shape if len(shape) > 1 else (*shape, 1)
    axis = _class_axis(probe.loss.loss, len(shape))
    if targets.ndim == len(shape):
        targets = np.moveaxis(targets, axis, -1)
    places = (*shape[:axis], *shape[axis + 1 :])
    units = shape[axis]
    keep = _counted(probe, places)
    if targets.shape[: len(places)] != places or targets.ndim > len(places) + 1:
        return None
    if targets.ndim == len(places) or targets.shape[-1] == 1:
        labels, rows = targets.reshape(-1)[keep], None
        labels = labels[np.isfinite(labels)]
        if drop_ignored:
            labels = labels[~np.isin(labels, probe.loss.ignore_class)]
        values, counts = np.unique(labels, return_counts=True)
    else:
        rows, labels = targets.reshape(-1, targets.shape[-1])[keep], None
        rows = rows[np.isfinite(rows).all(1)]
        if drop_ignored:
            void = [i for i in probe.loss.ignore_class if i not in (0, 1)]
            rows = rows[~np.isin(rows, void).any(1)]
        values, counts = np.unique(rows, return_counts=True)
    if not values.size:
        return None
    return Targets(
        units, rows, labels, values.astype("float64"), counts, len(places) > 2
    )


def label_faults(probe):
    """What is wrong with the labels: a dict of codes to their evidence.

    All checks of labels share it, so that each fault has one name.
    """
    targets = read_targets(probe)
    if targets is None:
        return {}
    kind = probe.loss.kind
    if kind in ("regression", "custom", "none"):
        return _faults_of_regression(probe, targets)
    if kind not in (*CLASS_LOSSES, *ROW_LOSSES):
        return {}
    if targets.rows is None:
        return _faults_of_labels(probe, targets)
    return _faults_of_rows(probe, targets)


def is_keras_region(loss):
    """Whether it is Dice or Tversky of Keras, which want rows and ignore nothing."""
    return loss.kind == "region" and not isinstance(loss.loss, MaskedLoss)


def _faults_of_regression(probe, targets):
    values, kind = targets.values, probe.loss.kind
    if probe.loss.name in UNDEFINED:
        lowest, word = UNDEFINED[probe.loss.name]
        share = float(targets.counts[lowest(values)].sum() / targets.counts.sum())
        if share > A_FEW:
            return {"KTF206": {"case": word, "share": share}}
    if probe.head.is_probability and np.array_equal(values, (0, 255)):
        return {"KTF123": _scale(targets, 255)}
    if kind != "regression" or probe.head.activation != "softmax":
        return {}
    is_one_hot = targets.rows is not None and probe.labels.form == "one-hot"
    if is_one_hot and targets.units == targets.rows.shape[1] >= 3:
        return {"KTF206": {"case": "regression loss", "classes": targets.units}}
    if targets.rows is None and targets.units > 1 and _whole(values).all():
        return {"KTF206": {"case": "ids", "units": targets.units}}
    return {}


def _faults_of_labels(probe, targets):
    values, kind, units = targets.values, probe.loss.kind, targets.units
    outside = (values < 0) | (values > 1)
    if not _whole(values).all():
        is_one = units == 1 and kind != "sparse"
        if is_one and not outside.any():
            return _tiny(targets)
        if is_one:
            return {"KTF206": _real(targets, outside)}
        return {"KTF206": _real(targets, ~_whole(values))}
    wants_rows = kind in ("binary", *ROW_LOSSES) or is_keras_region(probe.loss)
    if wants_rows and units > 1:
        return {"KTF206": {"case": "ids", "units": units}}
    return _faults_of_ids(targets)


def _faults_of_ids(targets):
    values, number, units = targets.values, targets.classes, targets.units
    known = (values >= 0) & (values < number)
    if known.all():
        if targets.is_mask and units == 1 and not values.any():
            return {"KTF123": {"case": "zeros", "largest": 0.0}}
        return {}
    if number == 2 and _is_scaled(targets):
        return {"KTF123": _scale(targets, 255)}
    void = np.isin(values, VOID) & ~known
    if 254 in values:  # all shades of grey
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
        # A stray id among the classes is another fault than more classes than units.
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


def _faults_of_rows(probe, targets):
    values, kind, rows = targets.values, probe.loss.kind, targets.rows
    if kind == "sparse":
        case = "one-hot" if np.isin(values, (0, 1)).all() else "rows"
        return {"KTF206": {"case": case, "columns": rows.shape[1]}}
    if rows.shape[1] != targets.units:
        is_hot = np.isin(values, (0, 1, *VOID)).all()
        return {"KTF205": _columns(targets)} if is_hot else {}
    if np.array_equal(values, (0, 255)):
        return {"KTF123": _scale(targets, 255)}
    if np.isin(values, (0, 1)).all():
        return _zero_rows(probe, targets)
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
    if kind == "categorical" and is_off.mean() > 0.05:
        share = float(is_off.mean())
        return {"KTF206": {"case": "sums", "share": share}}
    return {}


def _zero_rows(probe, targets):
    loss, head = probe.loss, probe.head
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


def _number(value):
    return int(value) if value == int(value) else float(value)


def _class_axis(loss, rank):
    if isinstance(loss, WeightedSum):
        loss = loss.losses[0]
    axis = getattr(loss, "axis", -1)
    is_classwise = isinstance(loss, MaskedLoss) and isinstance(axis, int)
    return axis % rank if is_classwise else rank - 1


def _counted(probe, places):
    """Mask of the places, flat, whose sample weight is not 0."""
    everything = np.ones(int(np.prod(places)), bool)
    weight = probe.look.sample.sample_weight
    # Out of range, a label is an error, or NaN, in a sparse loss, whatever its weight.
    if weight is None or probe.loss.kind == "sparse":
        return everything
    if isinstance(weight, dict):
        weight = weight.get(probe.name)
    else:
        leaves = keras.tree.flatten(weight)
        weight = leaves[probe.index] if len(leaves) == len(probe.names) else None
    if weight is None:
        return everything
    weight = np.asarray(weight)
    if weight.ndim == len(places) + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    weight = weight.reshape(*weight.shape, *[1] * (len(places) - weight.ndim))
    try:
        keep = np.broadcast_to(weight != 0, places).reshape(-1)
    except ValueError:
        return everything
    return keep


A_FEW = 0.005  # share of targets
# Losses of which some targets have no error that makes sense: which ones, and why.
UNDEFINED = {
    "mean_absolute_percentage_error": (
        lambda y: np.abs(y) <= 1e-4 * np.abs(y).max(),
        "percent",
    ),
    "mean_squared_logarithmic_error": (lambda y: y <= -1, "logarithm"),
}


@check("KTF206", "loss-does-not-fit-labels", severity="error")
def loss_does_not_fit_labels(probe):
    """The loss expects targets of another form than these.

    ## What you see
    An error about shapes, a loss that is negative or far from its usual size, or
    predictions that never become better than a constant.

    ## Why it happens
    Each cross-entropy takes one form of labels: the sparse one takes a class id a
    place, the categorical one a row with a column a class, the binary one numbers in
    [0, 1] for each unit. Ids against columns are broadcast or refused, and real
    numbers outside [0, 1] make a binary cross-entropy that has no lowest value. A
    squared or absolute error on a softmax of many classes is defined, yet its gradient
    fades where the answer is surely wrong. An error in percent has no meaning for
    targets of 0, and a logarithmic one none below -1.

    ## How to check
    Compare `y.shape`, `y.dtype` and `np.unique(y)` with the loss. One-hot rows in a
    sparse cross-entropy:

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = keras.utils.to_categorical(np.arange(64) % 3, 3)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    ```

    ## Fix
    Take the loss that fits: here the categorical one. Real numbers are a regression,
    with a linear head and `"mse"`.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = keras.utils.to_categorical(np.arange(64) % 3, 3)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]
    )
    model.compile("adam", "categorical_crossentropy")
    ```

    ## When this is not the cause
    Targets between 0 and 1, such as soft labels or the pixels of an autoencoder, are
    fine for a binary cross-entropy, though it does not fall to 0. Rows of a class
    times an advantage, as in policy gradients, are left alone.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    fault = label_faults(probe).get("KTF206")
    if fault is None:
        return None
    fault = dict(fault)
    case, name = fault.pop("case"), probe.loss.name
    if case in ("one-hot", "rows"):
        return found(
            f"{name} takes one class id a place, and the targets have "
            f"{fault['columns']} columns.",
            'model.compile(optimizer, loss="categorical_crossentropy")',
            **fault,
        )
    if case == "ids":
        if is_keras_region(probe.loss):
            fix = "import keras_trainfix as kt\nloss = kt.MaskedSoftDice()"
        else:
            fix = 'model.compile(optimizer, loss="sparse_categorical_crossentropy")'
        return found(
            f"{name} compares each of the {fault['units']} units with a column of its "
            "own, and the targets hold one class id a place.",
            fix,
            **fault,
        )
    if case in ("percent", "logarithm"):
        what = (
            "divides each error by its target"
            if case == "percent"
            else "takes the logarithm of 1 + target"
        )
        which = "(nearly) 0" if case == "percent" else "-1 or less"
        return found(
            f"{name} {what}, and {_percent(fault['share'])} of the targets are "
            f"{which}: these outweigh, or hide, all others.",
            'model.compile(optimizer, loss="mse")  # or "mae", with y standardised',
            severity="warning",
            **fault,
        )
    if case == "regression loss":
        return found(
            f"The targets are one-hot rows of {fault['classes']} classes for a "
            f"softmax, and the loss is {name}: it learns slowly, and hardly at all "
            "where the softmax is sure and wrong.",
            'model.compile(optimizer, loss="categorical_crossentropy")',
            severity="warning",
            **fault,
        )
    if case == "sums":
        return found(
            f"{name} takes rows that sum to 1, and {_percent(fault['share'])} of the "
            "rows do not.",
            "y = y / y.sum(axis=-1, keepdims=True)\n"
            "# or, if classes do not exclude each other: sigmoid and\n"
            'model.compile(optimizer, loss="binary_crossentropy")',
            severity="warning",
            **fault,
        )
    is_bytes = fault["lowest"] >= 0 and 1 < fault["highest"] <= 255
    if is_bytes and probe.predictions.ndim > 3:
        fix = 'y = y.astype("float32") / 255  # pixels as numbers from 0 to 1'
    else:
        fix = (
            f"outputs = keras.layers.Dense({probe.head.units})(features)  # linear\n"
            'model.compile(optimizer, loss="mse")  # with y standardised'
        )
    return found(
        f"{name} is for classes, and {_percent(fault['share'])} of the targets are "
        f"none: they go from {fault['lowest']:.4g} to {fault['highest']:.4g} with "
        f"{fault['distinct']} distinct values.",
        fix,
        **fault,
    )


@check("KTF121", "label-out-of-range", severity="error")
def label_out_of_range(probe):
    """There are labels that are none of the classes which the model has units for.

    ## What you see
    TensorFlow raises an error, or gives NaN in compiled code; torch raises an index
    error; JAX says nothing, and counts those labels as 0 in the average. A binary
    cross-entropy turns negative.

    ## Why it happens
    A model of C units knows the ids 0 to C - 1. Labels that start at 1, labels -1 and
    1, or ids of a list of classes from which some were taken out, go beyond.

    ## How to check
    `np.unique(y, return_counts=True)`. Here the ids start at 1:

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = np.arange(64) % 3 + 1
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    ```

    ## Fix
    Number the classes from 0.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = np.arange(64) % 3
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    ```

    ## When this is not the cause
    Ids that mark void, such as 255, are KTF122. More classes than units are KTF205.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    fault = label_faults(probe).get("KTF121")
    if fault is None:
        return None
    number, lowest, highest = fault["classes"], fault["lowest"], fault["highest"]
    if (lowest, highest) == (-1, 1) and number == 2:
        fix = "y = (y + 1) // 2  # -1 and 1 become 0 and 1"
    elif highest - lowest < number:
        fix = f"y = y - ({lowest})  # number the classes from 0"
    else:
        fix = (
            "names, y = np.unique(y, return_inverse=True)\n"
            "# the same table for all data, and a unit for each of `names`"
        )
    listed = ", ".join(f"{label} ({count}x)" for label, count in fault["unknown"])
    return found(
        f"The model has classes 0 to {number - 1}, and {_percent(fault['share'])} of "
        f"the labels are none of them: {listed}.",
        fix,
        **fault,
    )


@check("KTF122", "void-label-not-ignored", severity="error")
def void_label_not_ignored(probe):
    """Labels that mark void, 255 or -1, are counted by the loss.

    ## What you see
    An error about a label out of range, NaN, or a negative loss; on JAX a loss that
    is too small and seems fine.

    ## Why it happens
    Data sets mark places without a label by an id that is no class. A loss that was
    not told of it takes the id for a class, and there is no unit for it.

    ## How to check
    `np.unique(y)` shows the id. Here every fifth pixel is void:

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(8, 8, 8, 3)).astype("float32")
    y = np.arange(8 * 8 * 8).reshape(8, 8, 8) % 5
    y = np.where(y == 4, 255, y % 3)
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3, padding="same")]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    ```

    ## Fix
    Name the id to the loss, and to the metrics.

    ```python
    import keras
    import numpy as np

    import keras_trainfix as kt

    x = np.random.default_rng(1).normal(size=(8, 8, 8, 3)).astype("float32")
    y = np.arange(8 * 8 * 8).reshape(8, 8, 8) % 5
    y = np.where(y == 4, 255, y % 3)
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3, padding="same")]
    )
    loss = kt.MaskedCrossentropy(ignore_class=255, from_logits=True)
    model.compile("adam", loss)
    ```

    ## When this is not the cause
    With 256 classes or more, 255 is one of them. In binary masks of 0 and 255 the 255
    is the foreground: KTF123.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    fault = label_faults(probe).get("KTF122")
    if fault is None:
        return None
    void = fault["void"]
    ids = void[0] if len(void) == 1 else tuple(void)
    loss = "MaskedSoftDice" if probe.loss.kind == "region" else "MaskedCrossentropy"
    logits = ", from_logits=True" if probe.loss.from_logits else ""
    return found(
        f"{_percent(fault['share'])} of the labels are "
        f"{' or '.join(map(str, void))}, which is no class of the {fault['classes']} "
        f"and marks void, and {probe.loss.name} counts them.",
        "import keras_trainfix as kt\n"
        f"loss = kt.{loss}(ignore_class={ids}{logits})\n"
        "model.compile(optimizer, loss=loss)",
        **fault,
    )


@check("KTF123", "mask-values-0-255", severity="error")
def mask_values_0_255(probe):
    """Binary masks hold 0 and 255, or were divided away, in place of 0 and 1.

    ## What you see
    With 255, a loss that falls far below 0 while every pixel becomes foreground. With
    1/255, or only zeros, a small loss while every pixel becomes background.

    ## Why it happens
    Masks in image files use 255 for white. They have to be divided by 255 once, as
    floats: not at all leaves 255, twice leaves 1/255, and integers leave 0.

    ## How to check
    `np.unique(y)` must be 0 and 1.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(16, 8, 8, 3)).astype("float32")
    y = 255.0 * (x[..., :1] > 0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    ```

    ## Fix

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(16, 8, 8, 3)).astype("float32")
    y = 255.0 * (x[..., :1] > 0)
    y = (y > 127).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    ```

    ## When this is not the cause
    A few masks without any foreground can be right: then this is a note. Where 0, 1
    and 255 occur, the 255 marks void: KTF122.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    fault = label_faults(probe).get("KTF123")
    if fault is None:
        return None
    fault = dict(fault)
    case, largest = fault.pop("case"), fault["largest"]
    if case == "zeros":
        samples = len(probe.predictions)
        return found(
            f"All pixels of {samples} masks are 0: perhaps a division by 255 came "
            "before the conversion to integers, or twice.",
            'y = (masks > 127).astype("float32")  # masks as read from the files',
            severity="warning" if samples >= FEW_MASKS else "note",
            samples=samples,
            **fault,
        )
    word = "255" if largest > 1 else "1/255"
    return found(
        f"The masks hold 0 and {word} in place of 0 and 1: "
        f"{_percent(fault['share'])} of the pixels are not 0.",
        f'y = (y > {largest / 2:.3g}).astype("float32")',
        **fault,
    )


@check("KTF124", "void-in-one-hot", severity="error")
def void_in_one_hot(probe):
    """One-hot targets hold void, as 255, -1 or rows of zeros, and the loss counts it.

    ## What you see
    With 255 or -1, a loss that is huge, or negative. With rows of zeros, a loss that is
    too small, and on TensorFlow a gradient that pulls those places to anything.

    ## Why it happens
    A one-hot encoding has no row for void. 255 in a row weighs 255 times a label; a
    row of zeros adds 0 to a categorical cross-entropy, yet is counted in the average,
    and it is a place without any class to a Dice loss.

    ## How to check
    `np.unique(y)` and `(y.sum(-1) == 0).mean()`.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = keras.utils.to_categorical(np.arange(64) % 3, 3)
    y[::4] = 255
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]
    )
    model.compile("adam", "categorical_crossentropy")
    ```

    ## Fix
    Take a loss that knows void, or give those places the weight 0.

    ```python
    import keras
    import numpy as np

    import keras_trainfix as kt

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = keras.utils.to_categorical(np.arange(64) % 3, 3)
    y[::4] = 255
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]
    )
    model.compile("adam", kt.MaskedCrossentropy(ignore_class=255))
    ```

    ## When this is not the cause
    Where classes do not exclude each other, with sigmoids and a binary cross-entropy, a
    row of zeros is a sample without a label, and right.

    ## References
    - [TensorFlow #60314](https://github.com/tensorflow/tensorflow/issues/60314)
    """
    fault = label_faults(probe).get("KTF124")
    if fault is None:
        return None
    fault = dict(fault)
    case, void, share = fault.pop("case"), fault["void"], fault["share"]
    ids = void[0] if len(void) == 1 else tuple(void) or 255
    loss = "MaskedSoftDice" if probe.loss.kind == "region" else "MaskedCrossentropy"
    logits = ", from_logits=True" if probe.loss.from_logits else ""
    several = ", multi_label=True" if probe.loss.kind == "binary" else ""
    fix = (
        "import keras_trainfix as kt\n"
        f"loss = kt.{loss}(ignore_class={ids}{logits}{several})\n"
        "model.compile(optimizer, loss=loss)"
    )
    if case == "void":
        shown = " or ".join(map(str, void))
        return found(
            f"{_percent(share)} of the rows hold {shown}, which marks void, and "
            f"{probe.loss.name} takes it for a weight of the class.",
            fix,
            **fault,
        )
    return found(
        f"{_percent(share)} of the rows are all zero, and {probe.loss.name} counts "
        "them in its average.",
        fix,
        severity="warning",
        **fault,
    )


def _percent(share):
    return f"{100 * share:.3g} %"
