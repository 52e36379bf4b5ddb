"""KTF431: an input of the model that leads nowhere."""

from keras_trainfix.diagnosis.experiments.instruments.unused_inputs import (
    TRIES,
    unused_inputs,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot


@check(
    "KTF431",
    "input-not-used",
    "warning",
    action="connect the unused input",
    scope="model",
    exact=True,
    persistent=True,
)
def input_not_used(snapshot: Snapshot) -> Found | None:
    """No answer depends on one of the inputs, whatever the weights are.

    ## What you see
    A model of several inputs learns what one of them tells, and no more. It is as good
    without the other data.

    ## Why it happens
    A branch was built from the wrong tensor, often by copying the lines of another
    branch. Keras allows inputs that lead nowhere.

    ## How to check
    Exchange the samples of one input and compare the answers, at several weights.

    ```python
    import keras
    import numpy as np
    from keras import layers

    def network(second):
        image, text = keras.Input((8,)), keras.Input((6,))
        a = layers.Dense(8, activation="relu")(image)
        b = layers.Dense(8, activation="relu")(second(image, text))
        model = keras.Model([image, text], layers.Dense(1)(a + b))
        model.compile("adam", "mse")
        return model

    model = network(lambda image, text: image)  # the wrong one
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(64, n)).astype("float32") for n in (8, 6)]
    y = x[0][:, :1] + x[1][:, :1]
    ```

    ## Fix
    Build each branch from its own input.

    ```python
    model = network(lambda image, text: text)
    ```

    ## When this is not the cause
    An input that is only used for a loss or in training counts as used. If you keep an
    input for later, the finding can be ignored.

    ## References
    [The functional API](https://keras.io/guides/functional_api/)
    """
    unused = unused_inputs(snapshot)
    if not unused:
        return None
    names = [one.code for one in unused]
    return found(
        f"No answer of the model depends on {' and '.join(names)}: with its samples "
        f"in another order all answers are the same, at {TRIES + 1} choices of the "
        "weights.",
        f"# build a branch of the model from the input that gets {names[0]}",
        inputs=names,
    )
