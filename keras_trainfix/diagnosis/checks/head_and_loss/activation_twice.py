"""KTF214: a last activation whose input another activation has squashed before."""

import math

import numpy as np

from keras_trainfix.diagnosis.change import Change, RepairCase
from keras_trainfix.diagnosis.checks.head_and_loss.head_code import with_activation
from keras_trainfix.diagnosis.observe.head import RANGES
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView

KINDS = ("binary", "categorical", "sparse", "regression")
LEAST_GAP = 0.02  # of a probability that the head cannot reach


def _keep_the_first(case: RepairCase) -> Change | str:
    if case.evidence.get("inner") in ("sigmoid", "softmax"):
        return Change("linear")
    return "the layer before the last activation must give up its own"


@check(
    "KTF214",
    "activation-twice",
    "error",
    action="remove one of the two activations",
    scope="output",
    explains=ONE_ANSWER,
    repair=_keep_the_first,
)
def activation_twice(view: OutputView) -> Found | None:
    """The last activation gets numbers that another activation has squashed before.

    ## What you see
    The loss stops early, although the order of the scores may be right. A sigmoid of a
    sigmoid answers "yes" to everything; a softmax of a softmax is never sure.

    ## Why it happens
    The last layer with weights has an activation of its own, and `Activation`,
    `Softmax` or another layer applies a second one. A sigmoid of numbers from 0 to 1
    gives 0.5 to 0.73. A softmax of 10 probabilities gives at most 0.23.

    ## How to check
    Look at the smallest and the largest prediction of a trained model.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(0).normal(size=(256, 8)).astype("float32")
    y = (x[:, :1] > 0).astype("float32")
    model = keras.Sequential([
        keras.Input((8,)),
        keras.layers.Dense(1, activation="sigmoid"),
        keras.layers.Activation("sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    ```

    ## Fix
    Keep one of the two.

    ```python
    model.layers[-1].activation = keras.activations.linear
    model.compile("adam", "binary_crossentropy")
    ```

    ## When this is not the cause
    Soft targets that the head can reach are fine, and so is a ReLU in front of a
    softmax, whose input has no upper bound.

    ## References
    [Activations of Keras](https://keras.io/api/layers/activations/)
    """
    head = view.head
    if head.inner is None or view.loss.kind not in KINDS or view.label_faults:
        return None
    reach = _reach(head.activation, RANGES.get(head.inner), head.units)
    wanted = _wanted(view)
    if reach is None or wanted is None:
        return None
    lowest, highest = reach
    if wanted[0] >= lowest - LEAST_GAP and wanted[1] <= highest + LEAST_GAP:
        return None
    is_probability = head.inner in ("sigmoid", "softmax")
    return found(
        f"The last activation is {head.activation}, of numbers that have been through "
        f"{head.inner} in '{head.layer}': its answers are from {lowest:.2g} to "
        f"{highest:.2g}, and the targets from {wanted[0]:.2g} to {wanted[1]:.2g}.",
        with_activation(view, "linear")
        if is_probability
        else f"# no activation in '{head.layer}', in front of the {head.activation}",
        severity="warning" if lowest < 0.5 < highest else "error",
        inner=head.inner,
        lowest=lowest,
        highest=highest,
    )


def _reach(
    activation: str, inner: tuple[float, float] | None, units: int
) -> tuple[float, float] | None:
    """The lowest and highest answer of an activation of numbers in a range."""
    if inner is None:
        return None
    low, high = (math.exp(min(bound, 50.0)) for bound in inner)
    if activation == "sigmoid":
        return low / (1 + low), high / (1 + high)
    if activation == "softmax" and units > 1:
        rest = units - 1
        return low / (low + rest * high), high / (high + rest * low)
    return None


def _wanted(view: OutputView) -> tuple[float, float] | None:
    """The lowest and highest probability that the targets ask for."""
    targets = view.counted_targets
    if targets is None:
        return None
    if view.loss.kind == "sparse":
        return 0.0, 1.0
    numbers = targets.labels if targets.rows is None else targets.rows
    lowest, highest = float(np.min(numbers)), float(np.max(numbers))
    is_share = lowest >= 0 and highest <= 1
    return (lowest, highest) if is_share else None
