"""KTF205: units or an activation that do not fit the loss."""

import keras
import numpy as np

from keras_trainfix.diagnosis.change import (
    BINARY,
    CATEGORICAL,
    Change,
    one_unit,
    other_units,
)
from keras_trainfix.diagnosis.checks.head_and_loss.head_code import (
    suited_head,
    with_activation,
    with_head,
    with_loss,
    with_suited_head,
)
from keras_trainfix.diagnosis.checks.head_and_loss.probabilities import (
    is_constant_softmax,
    sums_to_one_elsewhere,
)
from keras_trainfix.diagnosis.fix_code import layer_of, recompiled
from keras_trainfix.diagnosis.observe.head import last_layer
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.diagnosis.trial.user_step import has_own_step
from keras_trainfix.messages import count

WRONG_SUM = 0.05  # of probabilities, beyond or below 1


def _fit_loss_to_head(case):
    kind = case.loss.kind
    if case.units == 1 and kind in ("categorical", "sparse"):
        return one_unit(case)
    if "classes" in case.evidence:
        return other_units(case.evidence["classes"])
    is_multi_label = case.task.startswith("multi-label")
    if kind == "binary":
        return Change("sigmoid") if is_multi_label else Change(None, CATEGORICAL)
    return Change(None, BINARY) if is_multi_label else Change("softmax")


@check(
    "KTF205",
    "loss-does-not-fit-head",
    "error",
    action="make the loss fit the head",
    scope="output",
    explains=ONE_ANSWER,
    repair=_fit_loss_to_head,
)
def loss_does_not_fit_head(view: OutputView) -> Found | None:
    """The loss needs another number of units, or another activation.

    ## What you see
    The loss is exactly 0 from the first step, or `fit` raises an error about labels out
    of range, or the model learns less well than it could.

    ## Why it happens
    A categorical cross-entropy normalizes the units to a sum of 1: for a single unit it
    is always 0, without a gradient. A sparse one reads a label as the number of a unit,
    so there must be one unit for each class. A binary one judges each unit by itself,
    which does not suit a softmax, whose units depend on each other. And a softmax along
    an axis other than the class axis gives no probabilities of the classes.

    ## How to check
    Compare the units of the last layer with the number of classes.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = (x.sum(axis=1, keepdims=True) > 0).astype("float32")
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile("adam", "categorical_crossentropy")
    ```

    ## Fix
    For one unit, use a sigmoid and the binary cross-entropy. For C mutually exclusive
    classes, use C units, a softmax, and the categorical or sparse cross-entropy. For
    independent classes, use sigmoids and the binary one.

    ```python
    model.compile("adam", "binary_crossentropy")
    ```

    ## When this is not the cause
    Sigmoids with a categorical cross-entropy, and a softmax with a binary one, are only
    warnings: such models often learn equally well.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    if is_constant_softmax(view):
        return None
    loss, head = view.loss, view.head
    off = _wrong_axis(view)
    if off:
        return found(
            "The softmax runs along another axis than that of the classes in the loss: "
            f"the probabilities of a place sum to {1 + off:.3g}, and not to 1.",
            _softmax_of_classes(view),
            units=head.units,
            sum=1 + off,
        )
    faults = view.label_faults
    if "KTF206" in faults:
        return None
    form = view.labels.form if view.labels else None
    if head.units == 1 and loss.kind == "similarity":
        return found(
            f"{loss.name} of a single unit depends only on its sign.",
            with_loss(view, "mse"),
            units=1,
        )
    if head.units == 1 and loss.kind in ("categorical", "sparse"):
        number = len(view.labels.classes) if view.labels else 0
        what = (
            f"{loss.name} of a single unit is 0, without a gradient"
            if loss.kind == "categorical"
            else f"{loss.name} takes one unit for each class, and the head has 1 unit"
        )
        return found(
            f"{what}: the model cannot learn.",
            with_suited_head(view),
            units=1,
            classes=number,
        )
    if "KTF205" in faults:
        return _other_number(view, **faults["KTF205"])
    if head.units < 2 or loss.from_logits:
        return None
    if loss.kind in ("categorical", "sparse") and "sigmoid" in head.activation:
        return found(
            f"{loss.name} is for mutually exclusive classes, and the {head.units} "
            "sigmoids of the head are independent. It often learns nevertheless.",
            with_loss(view, BINARY)
            if form == "multi-hot"
            else with_activation(view, "softmax"),
            severity="warning",
            units=head.units,
        )
    is_softmax = loss.kind == "binary" and head.activation == "softmax"
    if is_softmax and (head.units > 2 or form == "multi-hot"):
        return found(
            f"{loss.name} judges each unit by itself, and the {head.units} units are "
            "those of a softmax, which sum to 1.",
            with_activation(view, "sigmoid")
            if form == "multi-hot"
            else with_loss(view, CATEGORICAL),
            severity="warning",
            units=head.units,
        )
    return None


def _other_number(view, classes, units):
    """What is found where labels and head have different numbers of classes."""
    suited = suited_head(view)
    is_kept = view.loss.kind in ("masked", "region", "sum", suited.loss.split("_")[0])
    activation = suited.activation
    if is_kept and view.loss.from_logits:
        activation = "linear"
    return found(
        f"The labels have {classes} classes, and the head has {count(units, 'unit')}.",
        with_head(view, classes, activation, "" if is_kept else suited.loss),
        # Such a step may give other targets or answers to the loss.
        severity="note" if has_own_step(view.model) else None,
        classes=classes,
        units=units,
    )


def _softmax_of_classes(view):
    """Code that runs the softmax along the class axis."""
    is_last = view.class_axis == view.predictions.ndim - 1
    axis = -1 if is_last else view.class_axis
    layer = last_layer(view.model, view.index)
    name = None if layer is None else layer_of(view.model, layer.name)
    if name is None or not isinstance(layer, keras.layers.Softmax):
        return (
            "# in the definition of the model, instead of the present softmax:\n"
            f"# outputs = keras.layers.Softmax(axis={axis})(logits)"
        )
    return recompiled(view.model, f"{name}.axis = {axis}  # the class axis")


def _wrong_axis(view):
    """How far the probabilities of a place are from the sum 1; 0 if all is well."""
    loss, p = view.loss, view.predictions
    activation = view.head.activation
    if activation not in ("softmax", "unknown") or p.ndim < 2 or loss.from_logits:
        return 0.0
    if activation == "unknown" and not sums_to_one_elsewhere(view):
        return 0.0
    if loss.kind not in ("categorical", "sparse", "masked") or not np.isfinite(p).all():
        return 0.0
    sums = p.sum(view.class_axis, dtype="float64") - 1
    worst = float(sums.ravel()[np.abs(sums).argmax()])
    return worst if abs(worst) > WRONG_SUM and view.head.units > 1 else 0.0
