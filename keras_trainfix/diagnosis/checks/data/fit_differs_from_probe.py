"""KTF146 fit-differs-from-probe: `fit` gets other samples than those at hand."""

from keras_trainfix.diagnosis.checks.data.validation_differs import (
    REVERSED,
    difference_of,
)
from keras_trainfix.diagnosis.checks.data.validation_labels_differ import labels_differ
from keras_trainfix.diagnosis.experiments.instruments.sample_gap import fit_gap
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot

FIX = """\
def prepare(values):
    return values  # what the iterator of `fit` does to the inputs: in one place
x = prepare(x)  # for fit, predict, and the samples of the callback"""
HAND = "given"


@check(
    "KTF146",
    "fit-differs-from-probe",
    "warning",
    action="pass samples prepared as `fit` gets them",
    scope="model",
    exact=True,
)
def fit_differs_from_probe(snapshot: Snapshot) -> Found | None:
    """The samples at hand are prepared in another way than those that `fit` gets.

    ## What you see
    The accuracy in `fit` is good, and that of `predict` or of the callback on the same
    images is near chance: 63 % in `fit`, 36 % in `predict`.

    ## Why it happens
    The generator of `fit` standardizes, changes the channels or encodes the labels, and
    the samples for `predict` and for callbacks are the raw ones.

    ## How to check
    Compare a batch of the iterator with the samples for `predict`. `CollapseDetector`
    does so by itself.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (100, 16)).astype("float32")
    labels = (pixels[:, 0] > 127).astype("float32")
    in_fit = (pixels - 127.5) / 74, labels  # what the generator gives
    x, y = pixels / 255, labels  # what the callback gets
    model = keras.Sequential([
        keras.Input((16,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    print(in_fit[0].mean(), x.mean())
    ```

    ## Fix
    Prepare both with the same function, or by layers in front of the model.

    ```python
    x = (pixels - 127.5) / 74
    ```

    ## When this is not the cause
    If the samples at hand are meant to be of another source. Then what the callback
    says about them holds for that source.

    ## References
    [Keras: preprocessing layers](https://keras.io/guides/preprocessing_layers/).
    """
    gap = fit_gap(snapshot)
    if gap is None:
        return None
    for name, one in gap.inputs.items():
        said = difference_of(one, HAND)
        if said is not None:
            return found(
                f"Inputs: {said[0]}",
                REVERSED.replace("x_val", "x") if said[1] else FIX,
                part=name,
                shift=one.shift,
                scale=one.scale,
                channels_reversed=one.is_reversed,
            )
    labels = labels_differ(gap, HAND)
    if labels is None:
        return None
    return found(labels[1], "print(np.unique(y, return_counts=True))", part=labels[0])
