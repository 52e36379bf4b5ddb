"""KTF201: a softmax over a single unit."""

from keras_trainfix.diagnosis.change import one_unit
from keras_trainfix.diagnosis.checks.head_and_loss.head_code import with_suited_head
from keras_trainfix.diagnosis.checks.head_and_loss.probabilities import (
    is_constant_softmax,
)
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView


@check(
    "KTF201",
    "softmax-on-one-unit",
    "error",
    action="replace the softmax over one unit",
    scope="output",
    explains=ONE_ANSWER,
    # Another head or loss for the same unit.
    overrules=("KTF202", "KTF203", "KTF204", "KTF205"),
    repair=one_unit,
)
def softmax_on_one_unit(view: OutputView) -> Found | None:
    """A softmax over a single unit answers 1.0 for every input.

    ## What you see
    `predict` gives exactly 1.0 for every input, and the accuracy stays at the share of
    one class. On TensorFlow the loss may fall nevertheless.

    ## Why it happens
    A softmax divides each unit by the sum of all units. For a single unit this is
    always 1, with a gradient of 0. TensorFlow computes a binary cross-entropy from the
    value before the softmax, as if it were a sigmoid, so the loss falls while the
    predictions do not move.

    ## How to check
    `model.predict(x).std()` is 0.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("float32")
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(1, activation="softmax")]
    )
    model.compile("adam", "binary_crossentropy")
    ```

    ## Fix
    Use a sigmoid for two classes, no activation for a regression, and one unit per
    class for more classes.

    ```python
    model.layers[-1].activation = keras.activations.sigmoid
    model.compile("adam", "binary_crossentropy")
    ```

    ## When this is not the cause
    With two or more units, look for saturation or a collapse. A softmax along another
    axis, as in attention, is not reported.

    ## References
    - [Activations of Keras](https://keras.io/api/layers/activations/)
    """
    if not is_constant_softmax(view):
        return None
    return found(
        f"The head is a softmax over 1 unit: all {view.predictions.size} predictions "
        "are 1.0, whatever the input.",
        with_suited_head(view),
        units=1,
        lowest=float(view.predictions.min()),
        highest=float(view.predictions.max()),
    )
