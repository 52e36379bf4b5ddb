"""KTF203: logits in a loss that takes probabilities."""

import numpy as np

from keras_trainfix.diagnosis.change import Change, with_logits
from keras_trainfix.diagnosis.checks.head_and_loss.head_code import (
    present_loss,
    with_activation,
    with_loss,
)
from keras_trainfix.diagnosis.checks.head_and_loss.probabilities import ROUNDING, STRAY
from keras_trainfix.diagnosis.observe.loss import is_keras_region, is_own_overlap
from keras_trainfix.diagnosis.observe.loss_value import value_of_answers
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.messages import percent

TAKES_PROBABILITIES = ("binary", "categorical", "sparse", "masked", "region", "sum")
NEAR = 0.1  # to 0 or -1: an overlap that is perfect
OPEN = "numbers beyond 0 and 1 make it lower than a perfect answer does."


def _take_logits(case):
    loss = with_logits(case.loss.loss, True)
    activation = None if case.activation in ("linear", "unknown") else "linear"
    if loss is not None:
        return Change(activation, loss)
    return Change("sigmoid" if case.units == 1 else "softmax")


@check(
    "KTF203",
    "logits-into-probability-loss",
    "error",
    action="make the head and the loss agree on logits",
    scope="output",
    explains=ONE_ANSWER,
    overrules=("KTF412",),  # the logarithm of what is no probability
    repair=_take_logits,
)
def logits_into_probability_loss(view: OutputView) -> Found | None:
    """The loss takes probabilities, but the head gives values beyond 0 and 1.

    ## What you see
    The loss starts at several times its usual value and hardly moves, or jumps.

    ## Why it happens
    Such a loss clips its input to between 0 and 1 before it takes the logarithm. The
    gradient of a clipped value is 0, so those units do not learn. After a ReLU, all
    units at 0 are dead.

    ## How to check
    `model.predict(x)` contains values below 0 or above 1, while the loss has
    `from_logits=False`, the default.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("float32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", "binary_crossentropy")
    ```

    ## Fix
    Set `from_logits=True`, or end the model with a sigmoid or softmax.

    ```python
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    ```

    ## When this is not the cause
    A model may have learned nevertheless: if few predictions are clipped, it is a
    warning. If the targets are real numbers, the loss is wrong and not the head: see
    KTF206.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    loss, head, p = view.loss, view.head, view.predictions
    is_known = loss.kind in TAKES_PROBABILITIES and not loss.from_logits
    if not is_known and not _is_overlap_of_probabilities(view):
        return None
    is_alone = head.units == 1 and loss.kind in ("categorical", "sparse")
    if head.is_probability or is_alone or "KTF206" in view.label_faults:
        return None
    p = p[np.isfinite(p)]
    if not p.size:
        return None
    share = float(((p <= 0) | (p >= 1)).mean())
    is_beyond = p.min() < -ROUNDING or p.max() > 1 + ROUNDING
    if not is_beyond and not (head.activation in ("relu", "relu6") and share):
        return None
    activation = "sigmoid" if head.units == 1 or loss.kind == "binary" else "softmax"
    described = "no activation" if head.activation == "linear" else head.activation
    if head.activation == "unknown":
        described = "an unknown last step"
    takes_logits = is_known and not is_keras_region(loss) and loss.kind != "sum"
    on_logits = present_loss(view, from_logits=True) if takes_logits else None
    if on_logits and head.activation in ("linear", "unknown"):
        fix = with_loss(view, on_logits)
    else:
        fix = with_activation(view, activation)
    return found(
        f"{loss.name} takes probabilities, and a head with {described} gives numbers "
        f"from {p.min():.3g} to {p.max():.3g}: "
        + (f"{percent(share)} are clipped and get no gradient." if is_known else OPEN),
        fix,
        severity="error" if share > STRAY else "warning",
        clipped_share=share,
        lowest=float(p.min()),
        highest=float(p.max()),
    )


def _is_overlap_of_probabilities(view):
    """Whether it is a custom overlap that is best for answers of 0 and 1."""
    if not is_own_overlap(view.loss) or not np.isin(view.targets, (0, 1)).all():
        return False
    best, worst = (value_of_answers(view, wrongness) for wrongness in (0, 1))
    return None not in (best, worst) and best < worst and abs(best - round(best)) < NEAR
