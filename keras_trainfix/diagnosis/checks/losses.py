"""Checks of the value of the loss: what it cannot be, and what it must depend on."""

import keras
import numpy as np

from keras_trainfix.diagnosis.label_faults import label_faults
from keras_trainfix.diagnosis.loss_facts import losses_of
from keras_trainfix.diagnosis.loss_value import loss_value, value_of
from keras_trainfix.diagnosis.registry import check, found

TOLERANCE = 1e-3  # of a loss whose scale is 1
NEVER_NEGATIVE = ("binary", "categorical", "sparse", "masked", "sum", "divergence")
OVERLAPS = ("dice", "jaccard", "iou", "tversky")  # in the names of losses
SURE = 1e-3  # probability of the other class
PAIRED = 8  # samples
SAME = 1e-5  # relative
COMPARED = 32  # samples


@check("KTF208", "loss-below-minimum", severity="error")
def loss_below_minimum(probe):
    """The value of the loss is one that a loss of its kind cannot have.

    ## What you see
    A cross-entropy that is negative and falls without end, or a Dice loss far outside
    0 and 1, while predictions get no better.

    ## Why it happens
    Such a loss is made for labels and predictions between 0 and 1. With masks of 0 and
    255, labels of -1 and 1, or a head that gives any number, its formula has no least
    value where both agree: it rewards numbers that are large, not ones that are right.
    (With torch, a binary cross-entropy of probabilities raises an error instead.)

    ## How to check
    `y.min()` and `y.max()`, and the same of `model.predict(x)`.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = 3 * x[:, :1]
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    print(y.min(), y.max())
    ```

    ## Fix
    Labels of 0 and 1, and a head that gives what the loss takes.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = 3 * x[:, :1]
    y = (y > 0).astype("float32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    ```

    ## When this is not the cause
    A loss of your own that is written as `-dice` lies between -1 and 0, and one that
    adds up classes below that: neither is reported. Where the labels have a finding of
    their own, that is the cause, and this one a warning that comes after it.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    bounds = _bounds(probe)
    if bounds is None or _has_zero_weight(probe):
        return None
    low, high = bounds
    value = loss_value(probe)
    reached = _value_of_sure_answers(probe)
    below = [v for v in (value, reached) if v is not None and v < low - TOLERANCE]
    is_above = value is not None and value > high + TOLERANCE
    if not below and not is_above:
        return None
    lowest = min(below) if below else value
    y, p = probe.targets, probe.predictions
    where = f"below {low:g}" if below else f"above {high:g}"
    sure = "" if lowest == value else " for sure answers"
    return found(
        f"{probe.loss.name} is {lowest:.4g}{sure}, {where}, which is no value of such "
        f"a loss: targets go from {y.min():.4g} to {y.max():.4g}, predictions from "
        f"{p.min():.4g} to {p.max():.4g}.",
        f'y = (y > {_middle(y):.4g}).astype("float32")  # 0 and 1\n'
        'outputs = keras.layers.Dense(1, activation="sigmoid")(features)  # or Conv2D',
        severity="warning" if _is_named(probe) else None,
        value=value,
        value_of_sure_answers=reached,
        lowest_target=float(y.min()),
        highest_target=float(y.max()),
        lowest_prediction=float(p.min()),
        highest_prediction=float(p.max()),
    )


@check("KTF209", "broadcasting-loss", severity="error")
def broadcasting_loss(probe):
    """The loss compares every target with every prediction, not with its own.

    ## What you see
    The loss falls to that of one constant answer, and predictions shrink to the mean
    of the targets, though the model could do better.

    ## Why it happens
    Targets of shape `(N,)` minus predictions of shape `(N, 1)` are `(N, N)`: each
    prediction meets the targets of all samples. The losses of Keras, and functions
    given to `compile`, get both in one rank; a subclass of `keras.Loss`, and a
    function that flattens one of the two, do not. And where one unit meets several
    columns of targets, or several units one column, any loss compares each with each.

    ## How to check
    The value stays the same when targets are shuffled against predictions.

    ```python
    import keras
    import numpy as np

    class Squares(keras.Loss):
        def call(self, y_true, y_pred):
            return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = x[:, 0]
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", Squares())
    print(y.shape, model.output_shape)
    ```

    ## Fix
    Give the targets the shape of the predictions.

    ```python
    import keras
    import numpy as np

    class Squares(keras.Loss):
        def call(self, y_true, y_pred):
            y_true = keras.ops.reshape(y_true, keras.ops.shape(y_pred))
            return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = x[:, 0]
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", Squares())
    ```

    ## When this is not the cause
    A loss that compares distributions, not samples, may not care for the order either:
    only losses that are the mean over all pairs, or that change when the targets get
    the shape of the predictions, are reported. Several units that shall all give the
    same number are rare: a warning.

    ## References
    - [NumPy: broadcasting](https://numpy.org/doc/stable/user/basics.broadcasting.html)
    """
    y, p = probe.targets, probe.predictions
    loss = losses_of(probe.model, probe.names)[probe.index]
    if y is None or loss is None:
        return None
    if probe.loss.kind == "regression" and y.ndim == p.ndim > 1 and y.size != p.size:
        return _stretched(probe)
    if not _is_own(probe.loss.loss):
        return None
    if y.dtype.kind not in "biuf" or not len(p) == p.size == y.size == len(y):
        return None
    if not np.isfinite(y).all() or not np.isfinite(p).all():
        return None
    if not _compares_all_pairs(loss, y, p.shape[1:]):
        return None
    y, p = y[:COMPARED], p[:COMPARED]
    value, each = value_of(loss, y, p), _one_by_one(loss, y, p)
    if value is None or each is None:
        return None
    n = len(p)
    return found(
        f"{probe.loss.name} compares each target with each prediction, of shapes "
        f"{probe.targets.shape} and {probe.predictions.shape}: of {n} samples it is "
        f"{value:.4g}, and {each:.4g} where each meets its own.",
        "y_true = keras.ops.reshape(y_true, keras.ops.shape(y_pred))  # in the loss",
        value=value,
        value_of_own_pairs=each,
        samples=n,
        target_rank=int(probe.targets.ndim),
        prediction_rank=int(probe.predictions.ndim),
    )


def _stretched(probe):
    """What is found where columns are repeated, so that shapes fit."""
    y, p = probe.targets, probe.predictions
    columns, units = y.shape[-1], p.shape[-1]
    value = loss_value(probe)
    if value is None or y.shape[:-1] != p.shape[:-1] or 1 not in (columns, units):
        return None
    return found(
        f"{probe.loss.name} compares each of {columns} columns of targets with each of "
        f"{units} units, and gives {value:.4g}: "
        + ("the one unit" if units == 1 else "every unit")
        + " can learn no more than one number a sample.",
        f"outputs = keras.layers.Dense({columns})(features)  # a unit a column",
        severity="warning",
        value=value,
        columns=int(columns),
        units=int(units),
    )


def _bounds(probe):
    """The least and the largest value of a loss of this kind; None if unknown."""
    y, kind = probe.targets, probe.loss.kind
    if y is None or y.dtype.kind not in "biuf" or not y.size or not probe.labels:
        return None
    if not np.isfinite(y).all() or not np.isfinite(probe.predictions).all():
        return None
    if kind in NEVER_NEGATIVE:
        return 0.0, np.inf
    is_sum = getattr(probe.loss.loss, "reduction", None) in ("sum", "none", None)
    if kind == "region":
        is_hinge = "lovasz" in probe.loss.name
        return 0.0, np.inf if is_sum or is_hinge else 1.0
    name = probe.loss.name.lower()
    if kind == "custom" and any(word in name for word in OVERLAPS):
        beyond = [part.min() < 0 or part.max() > 1 for part in (y, probe.predictions)]
        # `-dice` is down to -1, and so is each of the classes that may be added up;
        # above 1 a weight or a second term may lift it.
        return (-float(max(1, probe.head.units)), np.inf) if any(beyond) else None
    return None


def _value_of_sure_answers(probe):
    """The loss of predictions as close to the targets as probabilities come.

    Near 0.5 it may still look right where targets are beyond 0 and 1.
    """
    y, p = probe.targets, probe.predictions
    if y.size != p.size or (y.min() >= 0 and y.max() <= 1):
        return None
    sure = np.clip(y.reshape(p.shape).astype("float32"), SURE, 1 - SURE)
    if probe.loss.from_logits:
        sure = np.log(sure / (1 - sure))
    return value_of(losses_of(probe.model, probe.names)[probe.index], y, sure)


def _has_zero_weight(probe):
    """Whether some places count nothing, whatever their labels."""
    weight = probe.look.sample.sample_weight
    leaves = [] if weight is None else keras.tree.flatten(weight)
    return any(leaf is not None and (np.asarray(leaf) == 0).any() for leaf in leaves)


def _is_named(probe):
    """Whether a check of the data names what is wrong with the labels."""
    return any(code.startswith("KTF1") for code in label_faults(probe))


def _middle(y):
    values = np.unique(y)
    return float(values[0] + values[-1]) / 2 if len(values) > 1 else 0.0


def _is_own(loss):
    """Whether the code of a loss is the user's."""
    loss = getattr(loss, "fn", loss)  # of a wrapped function
    home = getattr(loss, "__module__", None) or type(loss).__module__
    return home.partition(".")[0] not in ("keras", "keras_trainfix")


def _compares_all_pairs(loss, y, place):
    """Whether each target meets each prediction, not only its own.

    A few targets, from the least to the largest, and made-up predictions in their
    range, since those of the model may be one constant.
    """
    order = np.argsort(y, axis=0, kind="stable").ravel()
    some = np.unique(np.linspace(0, len(y) - 1, min(PAIRED, len(y))).astype(int))
    y = y[order[some]]
    low, span = float(y.min()), float(y.max()) - float(y.min())
    if len(y) < 3 or not span:
        return False
    p = low + span * (0.2 + 0.6 * np.linspace(0, 1, len(y)) ** 2)
    p = p.astype("float32").reshape(len(y), *place)
    value = value_of(loss, y, p)
    shuffled = [value_of(loss, np.ascontiguousarray(y[::-1]), p)]
    shuffled.append(value_of(loss, np.roll(y, 1, axis=0), p))
    if value is None or not all(_same(value, other) for other in shuffled):
        return False
    if y.shape != p.shape:
        matched = value_of(loss, y.reshape(p.shape), p)
        if matched is not None and not _same(value, matched):
            return True
    # One target for all samples, each in its turn: the mean of these is that over
    # pairs. A loss that leaves the targets out gives the same for each.
    constant = [value_of(loss, np.full_like(y, one), p) for one in y.ravel()]
    if None in constant or _same(min(constant), max(constant)):
        return False
    return _same(value, float(np.mean(constant)))


def _same(a, b):
    return b is not None and abs(a - b) <= SAME * max(abs(a), abs(b))


def _one_by_one(loss, y, p):
    values = [value_of(loss, y[i : i + 1], p[i : i + 1]) for i in range(len(y))]
    return None if None in values else float(np.mean(values))
