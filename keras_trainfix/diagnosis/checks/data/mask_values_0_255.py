"""KTF123 mask-values-0-255: binary masks of 0 and 255, or of 0 alone."""

from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.messages import percent

FEW_MASKS = 16  # fewer may have no foreground by chance


@check(
    "KTF123",
    "mask-values-0-255",
    "error",
    action="convert the masks to 0 and 1",
    scope="output",
    explains=("KTF503",),
)
def mask_values_0_255(view: OutputView) -> Found | None:
    """Binary masks contain 0 and 255, or were rounded to 0, instead of 0 and 1.

    ## What you see
    With 255, a loss that falls far below 0 while every pixel becomes foreground. With
    1/255, or only zeros, a small loss while every pixel becomes background.

    ## Why it happens
    Masks in image files use 255 for white. Divide them by 255 once, as floats: without
    the division 255 remains, with two of them 1/255, and an integer division gives 0.

    ## How to check
    `np.unique(y)` must be 0 and 1.

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(16, 8, 8, 3)).astype("float32")
    y = 255.0 * (x[..., :1] > 0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    print(np.unique(y))
    ```

    ## Fix
    Compare with the middle, or divide by 255.

    ```python
    y = (y > 127).astype("float32")
    ```

    ## When this is not the cause
    A few masks without any foreground can be right: then this is a note. If 0, 1 and
    255 occur, the 255 marks void: KTF122.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    fault = view.label_faults.get("KTF123")
    if fault is None:
        return None
    fault = dict(fault)
    case, largest = fault.pop("case"), fault["largest"]
    if case == "zeros":
        samples = len(view.predictions)
        return found(
            f"All pixels of {samples} masks are 0. Perhaps they were divided by 255 "
            "as integers, or twice.",
            '# y = (masks > 127).astype("float32"), with masks as read from the files',
            severity="warning" if samples >= FEW_MASKS else "note",
            samples=samples,
            **fault,
        )
    if case == "ignored":
        return found(
            f"The labels are 0 or 255, and {view.loss.name} ignores 255: nothing but "
            "background is left. If 255 is the white of a mask file, it is class 1.",
            'y = (y > 127).astype("float32")',
            severity="warning",
            **fault,
        )
    word = "255" if largest > 1 else "1/255"
    return found(
        f"The masks contain 0 and {word} instead of 0 and 1: "
        f"{percent(fault['share'])} of the pixels are not 0.",
        f'y = (y > {largest / 2:.3g}).astype("float32")',
        **fault,
    )
