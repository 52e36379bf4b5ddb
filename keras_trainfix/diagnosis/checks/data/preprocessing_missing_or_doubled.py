"""KTF133 preprocessing-missing-or-doubled: a pretrained body gets another scale."""

import numpy as np

from keras_trainfix.diagnosis.experiments.instruments.body_inputs import (
    BodyInput,
    body_inputs,
)
from keras_trainfix.diagnosis.fix_code import has_one_input
from keras_trainfix.diagnosis.measure.learned import has_learned
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import BODY_SCALE


@check(
    "KTF133",
    "preprocessing-missing-or-doubled",
    "error",
    action="correct the preprocessing of the pretrained body",
    scope="model",
    exact=True,
    explains=ONE_ANSWER,
    overrules=("KTF101", "KTF103"),
    persistent=True,
)
def preprocessing_missing_or_doubled(snapshot: Snapshot) -> Found | None:
    """A pretrained body gets inputs of another scale than it was trained with.

    ## What you see
    Transfer learning stays near chance, or learns one class, although the weights were
    loaded. The same body works in the code of others.

    ## Why it happens
    Some nets of `keras.applications` scale their inputs themselves and expect 0 to 255:
    EfficientNet, ConvNeXt, MobileNetV3, RegNet. Dividing by 255 before them leaves
    nothing to see. Others expect -1 to 1 (MobileNetV2, Xception, Inception), or BGR
    less the mean of each channel (VGG, ResNet), and do not scale: pixels of 0 to 255
    saturate them.

    ## How to check
    Look at the first layers of the body, and at `x.min(), x.max()`.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).random((64, 16, 16, 3)).astype("float32")  # 0 to 1
    y = x.mean((1, 2))[:, :1]
    body = keras.Sequential([
        keras.Input((16, 16, 3)),
        keras.layers.Rescaling(1 / 127.5, offset=-1),  # of 0 to 255
        keras.layers.Conv2D(8, 3, activation="relu", bias_initializer="ones"),
        keras.layers.GlobalAveragePooling2D(),
    ])
    body.trainable = False
    model = keras.Sequential([keras.Input((16, 16, 3)), body, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    ```

    ## Fix
    Scale once: pass what the body expects, or use `preprocess_input` of its module in
    `keras.applications`, which does nothing where the body scales itself.

    ```python
    x = 255 * x
    ```

    ## When this is not the cause
    It is a warning where the first layers are trained and may adapt, and a note once
    the model has learned. A net without loaded weights learns from any range, and is
    not judged by its name.

    ## References
    [keras.applications](https://keras.io/api/applications/);
    [keras-io#1549](https://github.com/keras-team/keras-io/issues/1549)
    """
    wrong = [one for one in body_inputs(snapshot) or [] if _is_wrong(one)]
    if not wrong:
        return None
    one = wrong[0]
    severity = None if one.is_fixed and one.kind != "scheme" else "warning"
    if one.kind == "scheme" and one.is_fixed and one.factor > 1:
        severity = None
    return found(
        _message(one),
        _fix(snapshot, one),
        severity="note" if has_learned(snapshot) else severity,
        kind=one.kind,
        body=one.body,
        lowest=one.range[0],
        highest=one.range[1],
        factor=one.factor,
    )


def _is_wrong(one: BodyInput) -> bool:
    return max(one.factor, 1 / one.factor) > BODY_SCALE


def _message(one):
    low, high = (f"{value:.3g}" for value in one.range)
    gets = f"{low} to {high}"
    if one.kind == "doubled":
        return (
            f"'{one.body}' divides its inputs itself and expects 0 to 255. It gets "
            f"{gets}: they are scaled twice."
        )
    if one.kind == "scheme":
        return (
            f"The layers are those of a pretrained {one.body}, which expects inputs of "
            f"{one.expected}. It gets {gets}."
        )
    times = f"{one.factor:.3g}" if one.factor > 1 else f"1/{1 / one.factor:.3g}"
    return (
        f"What enters '{one.body}' ({gets}) has {times} of the scale with which its "
        "first batch normalization was trained, in all channels."
    )


def _fix(snapshot, one):
    if not _is_input(snapshot, one):
        return f"# change the layer that scales the inputs of '{one.body}'"
    if one.kind == "doubled" and one.range[0] < 0:
        return "x = 127.5 * (x + 1)  # the body scales itself"
    if one.kind == "doubled":
        return "x = 255 * x  # the body scales itself"
    if one.factor > 1 and one.expected:
        return "x = x / 127.5 - 1"
    if one.expected:
        return "x = 255 * x  # and then preprocess_input of the body's module"
    return f"x = x * {_round(1 / one.factor):.6g}"


def _round(factor):
    """A factor near one that is usual, as that one."""
    usual = [255, 127.5, 1 / 255, 1 / 127.5]
    return next((u for u in usual if abs(np.log(factor / u)) < 0.3), factor)


def _is_input(snapshot, one):
    """Whether the model passes its input on as it is."""
    if not has_one_input(snapshot):
        return False
    (array,) = snapshot.inputs.values()
    if array.dtype.kind not in "biuf":
        return False
    low, high = one.range
    size = max(abs(low), abs(high))
    return (
        abs(array.max() - high) <= 0.1 * size and abs(array.min() - low) <= 0.1 * size
    )
