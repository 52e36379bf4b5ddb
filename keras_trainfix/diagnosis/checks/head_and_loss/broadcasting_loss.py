"""KTF209: a loss that compares every target with every prediction."""

import numpy as np

from keras_trainfix.diagnosis.checks.head_and_loss.head_code import with_head
from keras_trainfix.diagnosis.observe.loss import is_own, losses_of
from keras_trainfix.diagnosis.observe.loss_value import loss_value, value_of
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView

PAIRED = 8  # samples
SAME = 1e-5  # relative
COMPARED = 32  # samples


@check(
    "KTF209",
    "broadcasting-loss",
    "error",
    action="give targets and predictions the same shape",
    scope="output",
    explains=("KTF501", "KTF505"),
    overrules=("KTF212",),  # in any order, all targets are compared with all answers
)
def broadcasting_loss(view: OutputView) -> Found | None:
    """The loss compares every target with every prediction, not with its own.

    ## What you see
    The loss falls to that of one constant answer, and predictions shrink to the mean of
    the targets, although the model could do better.

    ## Why it happens
    Targets of shape `(N,)` minus predictions of shape `(N, 1)` have shape `(N, N)`:
    each prediction is compared with the targets of all samples. Keras gives its own
    losses, and functions passed to `compile`, both arrays in the same rank. A subclass
    of `keras.Loss`, or a function that flattens one of the two, gets no such help. And
    if one unit is compared with several columns of targets, or several units with one
    column, any loss compares each with each.

    ## How to check
    The value does not change when the targets are shuffled.

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
    Give the targets the shape of the predictions, in the data or in the loss.

    ```python
    y = y.reshape(-1, 1)
    ```

    ## When this is not the cause
    A loss that compares distributions, not samples, may ignore the order too. So a loss
    is reported only if it is the mean over all pairs, or changes when the targets get
    the shape of the predictions. Several units that are meant to give the same number
    are rare, so this case is a warning.

    ## References
    - [NumPy: broadcasting](https://numpy.org/doc/stable/user/basics.broadcasting.html)
    """
    y, p = view.targets, view.predictions
    loss = losses_of(view.model, view.names)[view.index]
    if y is None or loss is None:
        return None
    if view.loss.kind == "regression" and y.ndim == p.ndim > 1 and y.size != p.size:
        return _stretched(view)
    if not is_own(view.loss.loss):
        return None
    if y.dtype.kind not in "biuf" or not len(p) == y.size == len(y):
        return None
    if p.ndim > 2 and p.size != y.size:
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
        f"{view.loss.name} compares each target with each prediction, of shapes "
        f"{view.targets.shape} and {view.predictions.shape}: for {n} samples it is "
        f"{value:.4g}, and {each:.4g} if each is compared with its own.",
        _reshaped(view),
        value=value,
        value_of_own_pairs=each,
        samples=n,
        target_rank=int(view.targets.ndim),
        prediction_rank=int(view.predictions.ndim),
    )


def _stretched(view):
    """What is found where columns are repeated, so that shapes fit."""
    y, p = view.targets, view.predictions
    columns, units = y.shape[-1], p.shape[-1]
    value = loss_value(view)
    if value is None or y.shape[:-1] != p.shape[:-1] or 1 not in (columns, units):
        return None
    return found(
        f"{view.loss.name} compares each of {columns} columns of targets with each of "
        f"{units} units, and gives {value:.4g}: "
        + ("the one unit" if units == 1 else "every unit")
        + " can learn only one number for each sample.",
        with_head(view, int(columns), "linear"),
        severity="warning",
        value=value,
        columns=int(columns),
        units=int(units),
    )


def _reshaped(view):
    """Code that gives the targets the shape of the predictions."""
    y, p = view.targets, view.predictions
    in_the_loss = (
        "# in the loss, so that it does not depend on the shape of the targets:\n"
        "# y_true = keras.ops.reshape(y_true, keras.ops.shape(y_pred))"
    )
    if y.size != p.size or len(view.names) > 1:
        return in_the_loss
    shape = ", ".join(map(str, (-1, *p.shape[1:])))
    return f"y = np.reshape(y, ({shape},))\n{in_the_loss}"


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
    p = np.resize(p.astype("float32"), (*place[::-1], len(y))).T.copy()
    value = value_of(loss, y, p)
    shuffled = [value_of(loss, np.ascontiguousarray(y[::-1]), p)]
    shuffled.append(value_of(loss, np.roll(y, 1, axis=0), p))
    if value is None or not all(_same(value, other) for other in shuffled):
        return False
    if y.shape != p.shape and y.size == p.size:
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
