"""KTF217: labels of a CTC loss that use the number of the blank."""

import numpy as np

from keras_trainfix.diagnosis.measure.strings import left_aligned
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView


@check(
    "KTF217",
    "blank-among-labels",
    "error",
    scope="output",
    action="number the symbols from 1",
    exact=True,
    persistent=True,
)
def blank_among_labels(view: OutputView) -> Found | None:
    """Labels for the CTC loss have a 0 before other symbols: 0 is the blank.

    ## What you see
    A reader of text or speech never writes one of the symbols, and mixes up the others
    around it.

    ## Why it happens
    `keras.losses.CTC` takes 0 for the blank between symbols, and for the padding behind
    a string. Where symbols are numbered from 0, those numbered 0 are taken out of the
    string.

    ## How to check
    Look for a 0 with another symbol behind it.

    ```python
    import keras
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 12, 6)).astype("float32")
    symbols = rng.integers(0, 3, size=(64, 4))

    def network():
        model = keras.Sequential([keras.Input((12, 6)), keras.layers.Dense(4)])
        model.compile("adam", keras.losses.CTC())
        return model

    model, y = network(), symbols
    ```

    ## Fix
    Number the symbols from 1. The head has one unit more than there are symbols.

    ```python
    model, y = network(), symbols + 1
    ```

    ## When this is not the cause
    A 0 behind the last symbol is padding, and right.

    ## References
    [keras.losses.CTC](https://keras.io/api/losses/probabilistic_losses/)
    """
    labels = view.targets
    if view.loss.name != "ctc" or labels is None or labels.ndim != 2:
        return None
    if labels.dtype.kind not in "iuf":
        return None
    is_hidden = labels != left_aligned(labels)
    share = float(is_hidden.any(1).mean())
    if not share:
        return None
    symbols, units = int(np.nanmax(labels)), view.predictions.shape[-1]
    fix = "y = y + 1  # 0 is the blank and the padding"
    if symbols + 2 > units:
        fix = f"# with {symbols + 2} units in the head:\n# {fix}"
    return found(
        f"{share:.0%} of the labels have a 0 before another symbol. The CTC loss takes "
        "0 for its blank and for padding, and leaves it out.",
        fix,
        share=share,
        units=int(units),
    )
