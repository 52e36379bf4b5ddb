"""KTF208: a loss with a value that such a loss cannot have."""

import keras
import numpy as np

from keras_trainfix.diagnosis.checks.head_and_loss.head_code import (
    loss_expression,
    with_activation,
    with_loss,
    with_suited_head,
)
from keras_trainfix.diagnosis.checks.head_and_loss.probabilities import SURE
from keras_trainfix.diagnosis.observe.loss import OVERLAPS, is_own_overlap, losses_of
from keras_trainfix.diagnosis.observe.loss_value import loss_value, value_of
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView

TOLERANCE = 1e-3  # of a loss whose scale is 1
NEVER_NEGATIVE = ("binary", "categorical", "sparse", "masked", "sum", "divergence")
SCORES = (*OVERLAPS, "coef", "score", "accuracy", "f1", "overlap")


@check(
    "KTF208",
    "loss-below-minimum",
    "error",
    action="make the loss fit the targets",
    scope="output",
    explains=("KTF503",),
)
def loss_below_minimum(view: OutputView) -> Found | None:
    """The loss has a value that this kind of loss cannot take.

    ## What you see
    A cross-entropy is negative and keeps falling, or a Dice loss is far outside 0 and
    1, while predictions do not improve.

    ## Why it happens
    Such a loss is made for labels and predictions between 0 and 1. With masks of 0 and
    255, labels of -1 and 1, or an unbounded head, its formula has no minimum where the
    two agree: it rewards large numbers, not correct ones. Or a custom loss lacks its
    minus sign, or is a score such as the Dice coefficient instead of 1 minus it: then
    it falls as answers get worse. (On torch, a binary cross-entropy of probabilities
    raises an error instead.)

    ## How to check
    Look at `y.min()` and `y.max()`, and at those of `model.predict(x)`.

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
    Use labels of 0 and 1, and a head that gives what the loss takes.

    ```python
    y = (y > 0).astype("float32")
    ```

    ## When this is not the cause
    A custom loss written as `-dice` lies between -1 and 0, and one that adds up classes
    lies below that: neither is reported. If the labels have a finding of their own,
    that is the cause, and this one is a warning that follows it.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    turned = _turned(view)
    if turned is not None:
        return turned
    bounds = _bounds(view)
    if bounds is None or _has_zero_weight(view):
        return None
    low, high = bounds
    value = loss_value(view)
    reached = _value_of_sure_answers(view)
    below = [v for v in (value, reached) if v is not None and v < low - TOLERANCE]
    is_above = value is not None and value > high + TOLERANCE
    if not below and not is_above:
        return None
    lowest = min(below) if below else value
    y, p = view.targets, view.predictions
    where = f"below {low:g}" if below else f"above {high:g}"
    sure = "" if lowest == value else " for sure answers"
    return found(
        f"{view.loss.name} is {lowest:.4g}{sure}, {where}, which such a loss cannot "
        f"be: targets go from {y.min():.4g} to {y.max():.4g}, predictions from "
        f"{p.min():.4g} to {p.max():.4g}.",
        _repair(view),
        severity="warning" if _is_named(view) else None,
        value=value,
        value_of_sure_answers=reached,
        lowest_target=float(y.min()),
        highest_target=float(y.max()),
        lowest_prediction=float(p.min()),
        highest_prediction=float(p.max()),
    )


def _repair(view):
    """Code for labels of 0 and 1, and for the head and the loss that suit them."""
    if view.label_faults:
        codes = " and ".join(view.label_faults)
        return f"# repair {codes} first: this follows from it"
    y, lines = view.targets, []
    is_beyond = y.min() < 0 or y.max() > 1
    if is_beyond and (view.head.units == 1 or len(np.unique(y)) == 2):
        lines.append(f'y = (y > {_middle(y):.4g}).astype("float32")  # 0 and 1')
    if view.head.units > 1 and is_beyond and not lines:
        lines.append(with_suited_head(view))
    elif not view.head.is_probability and not view.loss.from_logits:
        is_one = view.head.units == 1 or view.loss.kind == "binary"
        lines.append(with_activation(view, "sigmoid" if is_one else "softmax"))
    return "\n".join(lines)


def _turned(view):
    """What is found where a custom loss is lower for wrong answers."""
    y, p = view.targets, view.predictions
    if view.loss.kind != "custom" or not view.head.is_probability or y is None:
        return None
    is_share = y.dtype.kind in "biuf" and y.size == p.size and p.ndim > 1
    if not is_share or not np.isin(y, (0, 1)).all() or len(np.unique(y)) < 2:
        return None
    right = np.abs(y.reshape(p.shape).astype("float32") - SURE)
    axis = view.class_axis
    wrong = np.roll(right, 1, axis) if p.shape[axis] > 1 else 1 - right
    best, worst = (value_of(view.loss.loss, y, answer) for answer in (right, wrong))
    if best is None or worst is None or not best > worst + TOLERANCE:
        return None
    name = view.loss.name
    # Some losses rightly ask for a low output where the label is 1.
    is_score = any(word in name.lower() for word in SCORES)
    if worst >= -TOLERANCE and not is_score:
        return None
    loss = f"lambda y_true, y_pred: {'1 ' * is_score}- {name}(y_true, y_pred)"
    return found(
        f"{name} is {best:.4g} for right answers and {worst:.4g} for wrong ones: "
        "training looks for wrong answers.",
        f"{name} = {loss_expression(view)}\n" + with_loss(view, loss),
        value_of_right_answers=best,
        value_of_wrong_answers=worst,
    )


def _bounds(view):
    """The least and the largest value of a loss of this kind; None if unknown."""
    y, kind = view.targets, view.loss.kind
    if y is None or y.dtype.kind not in "biuf" or not y.size or not view.labels:
        return None
    if not np.isfinite(y).all() or not np.isfinite(view.predictions).all():
        return None
    if kind == "sum" and any(part.may_be_negative for part in view.loss.loss.losses):
        return None
    if kind in NEVER_NEGATIVE:
        return 0.0, np.inf
    is_sum = getattr(view.loss.loss, "reduction", None) in ("sum", "none", None)
    if kind == "region":
        is_hinge = "lovasz" in view.loss.name
        return 0.0, np.inf if is_sum or is_hinge else 1.0
    if is_own_overlap(view.loss):
        beyond = [part.min() < 0 or part.max() > 1 for part in (y, view.predictions)]
        # `-dice` is down to -1, and so is each of the classes that may be added up;
        # above 1 a weight or a second term may lift it.
        return (-float(max(1, view.head.units)), np.inf) if any(beyond) else None
    return None


def _value_of_sure_answers(view):
    """The loss of predictions as close to the targets as probabilities come.

    Near 0.5 it may still look right where targets are beyond 0 and 1.
    """
    y, p = view.targets, view.predictions
    if y.size != p.size or (y.min() >= 0 and y.max() <= 1):
        return None
    sure = np.clip(y.reshape(p.shape).astype("float32"), SURE, 1 - SURE)
    if view.loss.from_logits:
        sure = np.log(sure / (1 - sure))
    return value_of(losses_of(view.model, view.names)[view.index], y, sure)


def _has_zero_weight(view):
    """Whether some places do not count, whatever their labels."""
    weight = view.snapshot.sample.sample_weight
    leaves = [] if weight is None else keras.tree.flatten(weight)
    return any(leaf is not None and (np.asarray(leaf) == 0).any() for leaf in leaves)


def _is_named(view):
    """Whether a check of the data names what is wrong with the labels."""
    return any(code.startswith("KTF1") for code in view.label_faults)


def _middle(y):
    values = np.unique(y)
    return float(values[0] + values[-1]) / 2 if len(values) > 1 else 0.0
