"""KTF124 void-in-one-hot: one-hot targets that hold void."""

from keras_trainfix.diagnosis.fix_code import loss_that_ignores
from keras_trainfix.diagnosis.observe.refusal import NAN_LOSS
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.messages import percent


@check(
    "KTF124",
    "void-in-one-hot",
    "error",
    action="leave void out of the one-hot targets",
    scope="output",
    explains=("KTF502", "KTF503", "KTF504"),
)
def void_in_one_hot(view: OutputView) -> Found | None:
    """One-hot targets hold void, as 255, -1 or rows of zeros, and the loss counts it.

    ## What you see
    With 255 or -1, a loss that is huge or negative. With rows of zeros, a loss that is
    too small, and on TensorFlow a gradient that pulls those places to arbitrary values.

    ## Why it happens
    A one-hot encoding has no row for void. A 255 in a row counts as 255 labels. A row
    of zeros adds 0 to a categorical cross-entropy but still counts in the average, and
    for a Dice loss it is a place without any class.

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
    print(np.unique(y), (y.sum(-1) == 0).mean())
    ```

    ## Fix
    Use a loss that ignores void, or give those places a weight of 0.

    ```python
    import keras_trainfix as kt

    model.compile("adam", kt.MaskedCrossentropy(ignore_class=255))
    ```

    ## When this is not the cause
    If classes do not exclude each other, with sigmoids and a binary cross-entropy, a
    row of zeros is a valid sample that belongs to no class.

    ## References
    - [TensorFlow #60314](https://github.com/tensorflow/tensorflow/issues/60314)
    """
    fault = view.label_faults.get("KTF124")
    if fault is None:
        return None
    fault = dict(fault)
    case, void, share = fault.pop("case"), fault["void"], fault["share"]
    more = "multi_label=True" if view.loss.kind == "binary" else ""
    fix = loss_that_ignores(view, void, more)
    if case == "void":
        shown = " or ".join(map(str, void))
        return found(
            f"{percent(share)} of the rows hold {shown}, which marks void, but "
            f"{view.loss.name} "
            + (
                "takes it for a weight of the class."
                if view.refusal is None
                else f"does not ignore it.{NAN_LOSS}"
            ),
            fix,
            **fault,
        )
    return found(
        f"{percent(share)} of the rows are all zero, and {view.loss.name} counts "
        "them in its average.",
        fix,
        severity="warning",
        **fault,
    )
