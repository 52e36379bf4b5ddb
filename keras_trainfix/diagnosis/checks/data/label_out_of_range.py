"""KTF121 label-out-of-range: labels that are not a class of the model."""

from keras_trainfix.diagnosis.observe.refusal import NAN_LOSS
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.messages import percent


@check(
    "KTF121",
    "label-out-of-range",
    "error",
    action="make the labels and the number of units agree",
    scope="output",
    explains=("KTF504",),
)
def label_out_of_range(view: OutputView) -> Found | None:
    """Some labels are not among the classes that the model has units for.

    ## What you see
    TensorFlow raises an error, or gives NaN in compiled code; torch raises an index
    error; JAX reports nothing, and counts those labels as 0 in the average. A binary
    cross-entropy becomes negative.

    ## Why it happens
    A model of C units knows the ids 0 to C - 1. Labels that start at 1, labels of -1
    and 1, and ids that are left after some classes were removed go beyond that.

    ## How to check
    `np.unique(y, return_counts=True)`. Here the ids start at 1:

    ```python
    import keras
    import numpy as np

    x = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
    y = np.arange(64) % 3 + 1
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    print(np.unique(y), model.output_shape)
    ```

    ## Fix
    Number the classes from 0.

    ```python
    y = y - 1
    ```

    ## When this is not the cause
    Ids that mark void, such as 255, are KTF122. More classes than units are KTF205.

    ## References
    - [Probabilistic losses of Keras](https://keras.io/api/losses/probabilistic_losses/)
    """
    fault = view.label_faults.get("KTF121")
    if fault is None:
        return None
    number, lowest, highest = fault["classes"], fault["lowest"], fault["highest"]
    if (lowest, highest) == (-1, 1) and number == 2:
        fix = "y = (y + 1) // 2  # -1 and 1 become 0 and 1"
    elif highest - lowest < number:
        sign = "-" if lowest > 0 else "+"
        fix = f"y = y {sign} {abs(lowest)}  # number the classes from 0"
    else:
        fix = (
            "names, y = np.unique(y, return_inverse=True)\n"
            "# use the same `names` for all data, and one unit for each of them"
        )
    listed = ", ".join(f"{label} ({count}x)" for label, count in fault["unknown"])
    return found(
        f"The model has classes 0 to {number - 1}, but {percent(fault['share'])} of "
        f"the labels are not among them: {listed}."
        + (NAN_LOSS if view.refusal is not None else ""),
        fix,
        **fault,
    )
