"""KTF122: ids that mark void, and are counted."""

from keras_trainfix.diagnosis.registry import check, found
from keras_trainfix.messages import percent


@check(
    "KTF122",
    "void-label-not-ignored",
    "error",
    scope="output",
    explains=("KTF502", "KTF503", "KTF504", "KTF505"),
)
def void_label_not_ignored(view):
    """Labels that mark void, 255 or -1, are counted by the loss.

    ## What you see
    An error about a label out of range, NaN, or a negative loss; on JAX a loss that
    is too small and seems fine.

    ## Why it happens
    Data sets mark places without a label by an id that is no class. A loss that was
    not told of it takes the id for a class, and there is no unit for it.

    ## How to check
    `np.unique(y)` shows the id. Here every fifth pixel is void:

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(8, 8, 8, 3)).astype("float32")
    y = np.arange(8 * 8 * 8).reshape(8, 8, 8) % 5
    y = np.where(y == 4, 255, y % 3)
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3, padding="same")]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    ```

    ## Fix
    Name the id to the loss, and to the metrics.

    ```python
    import keras
    import numpy as np

    import keras_trainfix as kt

    x = np.random.default_rng(1).normal(size=(8, 8, 8, 3)).astype("float32")
    y = np.arange(8 * 8 * 8).reshape(8, 8, 8) % 5
    y = np.where(y == 4, 255, y % 3)
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3, padding="same")]
    )
    loss = kt.MaskedCrossentropy(ignore_class=255, from_logits=True)
    model.compile("adam", loss)
    ```

    ## When this is not the cause
    With 256 classes or more, 255 is one of them. In binary masks of 0 and 255 the 255
    is the foreground: KTF123.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    fault = view.label_faults.get("KTF122")
    if fault is None:
        return None
    shown = " or ".join(map(str, fault["void"]))
    return found(
        f"{percent(fault['share'])} of the labels are {shown}, which is no class of "
        f"the {fault['classes']} and marks void, and {view.loss.name} counts them.",
        loss_that_ignores(fault["void"], view),
        **fault,
    )


def loss_that_ignores(void, view, more=""):
    """The code that compiles a loss of ours in the place of one that counts void."""
    ids = void[0] if len(void) == 1 else tuple(void) or 255
    loss = "MaskedSoftDice" if view.loss.kind == "region" else "MaskedCrossentropy"
    logits = ", from_logits=True" if view.loss.from_logits else ""
    return (
        "import keras_trainfix as kt\n"
        f"loss = kt.{loss}(ignore_class={ids}{logits}{more})\n"
        "model.compile(optimizer, loss=loss)"
    )
