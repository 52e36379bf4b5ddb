"""KTF141 validation-differs: validation inputs of another scale, or another order."""

import numpy as np

from keras_trainfix.diagnosis.experiments.instruments.sample_gap import validation_gap
from keras_trainfix.diagnosis.measure.input_gap import InputGap
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import VALIDATION_SCALE, VALIDATION_SHIFT

REVERSED = "x_val = x_val[..., ::-1]  # the order of the training"
SCALED = """\
mean, std = x.mean(0), x.std(0) + 1e-7  # of the training inputs as they were read
def prepare(values):
    return (values - mean) / std  # for training, validation and prediction"""


@check(
    "KTF141",
    "validation-differs",
    "warning",
    action="prepare the validation data like the training data",
    scope="model",
    exact=True,
    mild=True,
    overrules=("KTF603",),
)
def validation_differs(snapshot: Snapshot) -> Found | None:
    """The validation inputs have another scale, or other channels, than the training's.

    ## What you see
    The training loss falls, and the validation loss is high from the first epoch on, or
    rises. `evaluate` on the training data in the form of `fit` gives good numbers.

    ## Why it happens
    The training inputs were scaled and the validation inputs were not, or with other
    constants; one was read as RGB and the other as BGR. The model sees numbers that it
    was never trained on.

    ## How to check
    Compare mean and standard deviation of both.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (200, 64)).astype("float32")
    labels = (pixels[:, 0] > 127).astype("float32")
    x, y = pixels[:150] / 255, labels[:150]
    validation_data = pixels[150:], labels[150:]
    model = keras.Sequential([
        keras.Input((64,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    print(x.mean(), x.std(), validation_data[0].mean(), validation_data[0].std())
    ```

    ## Fix
    Prepare both with one function and the constants of the training data.

    ```python
    validation_data = pixels[150:] / 255, labels[150:]
    ```

    ## When this is not the cause
    If validation really is meant to differ, as later years of a growing series do. Then
    expect numbers that are worse than in training, and model changes instead of levels.

    ## References
    [scikit-learn, Common pitfalls](https://scikit-learn.org/stable/common_pitfalls.html).
    """
    gap = validation_gap(snapshot)
    if gap is None:
        return None
    for name, one in gap.inputs.items():
        said = difference_of(one, "validation")
        if said is None:
            continue
        message, is_reversed = said
        where = f" of '{name}'" if len(snapshot.inputs) > 1 else ""
        return found(
            f"Inputs{where}: {message}",
            REVERSED if is_reversed else SCALED,
            input=name,
            shift=one.shift,
            scale=one.scale,
            channels_reversed=one.is_reversed,
            ranges=[list(pair) for pair in one.ranges],
        )
    return None


def difference_of(gap: InputGap, second: str) -> tuple[str, bool] | None:
    """What differs, in a sentence, and whether it is the order of channels.

    Args:
        gap: `InputGap` of the training inputs and others.
        second: String, what the others are: `"validation"`.

    Returns:
        `(sentence, is_reversed)`, or None for no difference above the thresholds.
    """
    if gap.is_reversed:
        return (
            f"the 3 color channels of the {second} samples are those of the training "
            "in reversed order (BGR for RGB).",
            True,
        )
    is_scaled = abs(np.log(gap.scale)) > np.log(VALIDATION_SCALE)
    if not is_scaled and gap.shift < VALIDATION_SHIFT:
        return None
    (low, high), (low_2, high_2) = gap.ranges
    apart = [f"spread {gap.scale:.3g} times as far"] if is_scaled else []
    if gap.shift >= VALIDATION_SHIFT:
        apart.append(f"lie {gap.shift:.3g} standard deviations away")
    return (
        f"the {second} samples {' and '.join(apart)}: they are in {low_2:.3g} .. "
        f"{high_2:.3g}, those of the training in {low:.3g} .. {high:.3g}.",
        False,
    )
