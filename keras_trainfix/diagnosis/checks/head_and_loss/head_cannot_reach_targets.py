"""KTF202: targets beyond the range of the last activation."""

from typing import Any

import numpy as np

from keras_trainfix.diagnosis.change import Change
from keras_trainfix.diagnosis.checks.head_and_loss.head_code import with_activation
from keras_trainfix.diagnosis.checks.head_and_loss.probabilities import (
    STRAY,
    is_constant_softmax,
)
from keras_trainfix.diagnosis.fix_code import STANDARDIZED
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.messages import percent


def _reach(case):
    return Change("linear")


@check(
    "KTF202",
    "head-cannot-reach-targets",
    "error",
    action="change the last activation",
    scope="output",
    explains=("KTF501", "KTF505"),
    repair=_reach,
)
def head_cannot_reach_targets(view: OutputView) -> Found | None:
    """The last activation cannot produce some of the targets.

    ## What you see
    Predictions stick to a bound of the activation, and the loss stops at a high value.

    ## Why it happens
    A sigmoid ends at 0 and 1, a tanh at -1 and 1, a ReLU at 0, and the units of a
    softmax sum to 1. The model cannot learn targets beyond that, and at the bound the
    gradient fades or is 0.

    ## How to check
    Compare `y.min()` and `y.max()` with the range of the activation.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = 3 * x.sum(axis=1, keepdims=True)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile("adam", "mse")
    ```

    ## Fix
    Use a linear head with targets scaled to unit variance, or scale the targets to the
    range of the activation.

    ```python
    y = (y - y.mean()) / y.std()
    model.layers[-1].activation = keras.activations.linear
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    If all targets are within the range, look for dead units or a learning rate that is
    too high. A custom loss may scale the predictions itself, so the finding is then a
    warning, as it is if only few targets are out of reach.

    ## References
    - [Activations of Keras](https://keras.io/api/layers/activations/)
    """
    kind, head = view.loss.kind, view.head
    if kind not in ("regression", "count", "custom", "none"):
        return None
    if is_constant_softmax(view) or view.label_faults:
        return None
    targets = view.counted_targets
    if targets is None or (targets.rows is None and targets.units > 1):
        return None
    if targets.rows is not None and targets.rows.shape[1] != targets.units:
        return None
    numbers = targets.labels if targets.rows is None else targets.rows
    low, high = head.range
    margin = 0.02 * float(numbers.std()) + 1e-6
    outside = (numbers < low - margin) | (numbers > high + margin)
    share = float(outside.mean())
    reach = f"from {low:g} to {high:g}"
    if not share and head.activation == "softmax" and kind in ("regression", "count"):
        sums_to_one = np.abs(view.predictions.sum(-1) - 1) < 0.05
        if targets.rows is not None and sums_to_one.all():
            share = float((np.abs(targets.rows.sum(1) - 1) > 0.05).mean())
            reach = "in rows that sum to 1"
    if not share:
        return None
    if kind in ("custom", "none") and len(np.unique(numbers[outside])) == 1:
        return None  # it marks missing targets
    if kind == "custom" and head.activation == "softmax" and _are_weighted(targets):
        return None  # classes times a weight, as in a policy gradient
    is_scaled = len(view.names) == 1 and numbers.std() > 0
    scaling = f"\n{STANDARDIZED}" if is_scaled else ""
    is_sure = share >= STRAY and kind in ("regression", "count")
    return found(
        f"A {head.activation} head gives values {reach}, and {percent(share)} of "
        f"the targets are beyond that: they go from {numbers.min():.4g} to "
        f"{numbers.max():.4g}.",
        with_activation(view, "linear") + scaling,
        severity="error" if is_sure else "warning",
        share=share,
        lowest=float(numbers.min()),
        highest=float(numbers.max()),
        head_lowest=None if np.isinf(low) else float(low),
        head_highest=None if np.isinf(high) else float(high),
    )


def _are_weighted(targets: Any) -> bool:
    """Whether each row of the targets has one number that is not 0."""
    return targets.rows is not None and bool(((targets.rows != 0).sum(1) <= 1).all())
