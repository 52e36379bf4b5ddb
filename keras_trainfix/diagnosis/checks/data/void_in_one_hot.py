"""KTF124: void in one-hot targets."""

from keras_trainfix.diagnosis.checks.data.void_label_not_ignored import (
    loss_that_ignores,
)
from keras_trainfix.diagnosis.registry import check, found
from keras_trainfix.messages import percent


@check(
    "KTF124",
    "void-in-one-hot",
    "error",
    scope="output",
    explains=("KTF502", "KTF503", "KTF504"),
)
def void_in_one_hot(view):
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
    fault = view.label_faults.get("KTF124")
    if fault is None:
        return None
    fault = dict(fault)
    case, void, share = fault.pop("case"), fault["void"], fault["share"]
    several = ", multi_label=True" if view.loss.kind == "binary" else ""
    fix = loss_that_ignores(void, view, several)
    if case == "void":
        shown = " or ".join(map(str, void))
        return found(
            f"{percent(share)} of the rows hold {shown}, which marks void, and "
            f"{view.loss.name} takes it for a weight of the class.",
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
