"""KTF122 void-label-not-ignored: ids that mark void count in the loss."""

from keras_trainfix.diagnosis.fix_code import loss_that_ignores
from keras_trainfix.diagnosis.observe.refusal import NAN_LOSS
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.messages import percent


@check(
    "KTF122",
    "void-label-not-ignored",
    "error",
    action="make the loss ignore the void label",
    scope="output",
    explains=("KTF502", "KTF503", "KTF504", "KTF505"),
)
def void_label_not_ignored(view: OutputView) -> Found | None:
    """The loss counts labels that mark void, such as 255 or -1.

    ## What you see
    An error about a label out of range, NaN, or a negative loss. On JAX the loss is too
    small and looks fine.

    ## Why it happens
    Data sets mark places without a label by an id that is not a class. A loss without a
    matching `ignore_class` takes the id for a class, and there is no unit for it.

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
    print(np.unique(y))
    ```

    ## Fix
    Pass the id to the loss, and to the metrics.

    ```python
    import keras_trainfix as kt

    loss = kt.MaskedCrossentropy(ignore_class=255, from_logits=True)
    model.compile("adam", loss)
    ```

    ## When this is not the cause
    With 256 classes or more, 255 is a class. In binary masks of 0 and 255 the 255 is
    the foreground: KTF123.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    fault = view.label_faults.get("KTF122")
    if fault is None:
        return None
    shown = " or ".join(map(str, fault["void"]))
    return found(
        f"{percent(fault['share'])} of the labels are {shown}. That is none of the "
        f"{fault['classes']} classes: it marks void, but {view.loss.name} "
        + ("counts it." if view.refusal is None else f"does not ignore it.{NAN_LOSS}"),
        loss_that_ignores(view, fault["void"]),
        **fault,
    )
