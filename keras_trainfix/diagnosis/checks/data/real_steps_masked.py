"""KTF150: a mask that hides real steps, because they look like padding."""

import keras

from keras_trainfix.diagnosis.experiments.instruments.masked_inside import masked_inside
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import MASKED_INSIDE


@check(
    "KTF150",
    "real-steps-masked",
    "warning",
    scope="model",
    action="pad with a value that the data do not have",
    exact=True,
    by_experiment=True,
)
def real_steps_masked(snapshot: Snapshot) -> Found | None:
    """A mask hides steps between real ones: the padding value is a real value too.

    ## What you see
    A recurrent network of padded sequences learns little, or nothing about how long
    something lasted, and is better without the mask.

    ## Why it happens
    `Masking(0.0)` skips every step that is 0, and `Embedding(mask_zero=True)` every id
    0. Where 0 is also a real value, such as a day without sales or the first word of a
    vocabulary, real steps are skipped, and those around them move together.

    ## How to check
    Look for masked steps between others.

    ```python
    import keras
    import numpy as np
    from keras import layers

    rng = np.random.default_rng(0)
    within = np.arange(16) < rng.integers(10, 17, size=(512, 1))
    sold = rng.uniform(1, 2, size=within.shape) * (rng.uniform(size=within.shape) < 0.3)
    y = within.sum(1, keepdims=True) / 3.0  # the number of days

    def prepared(padding):
        return np.where(within, sold, padding)[..., None].astype("float32")

    def network(padding):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([
            keras.Input((16, 1)), layers.Masking(padding), layers.GRU(16),
            layers.Dense(1),
        ])
        model.compile(keras.optimizers.Adam(0.01), "mse")
        return model

    model, x = network(0.0), prepared(0.0)
    ```

    ## Fix
    Pad with a value that the data do not have, and mask that. Number words from 1.

    ```python
    model, x = network(-1.0), prepared(-1.0)
    ```

    ## When this is not the cause
    Missing values between others may be masked on purpose. Nothing is reported where
    the model learns as it is.

    ## References
    [Masking and padding with Keras](https://keras.io/guides/understanding_masking_and_padding/)
    """
    if snapshot.experiments is None or snapshot.experiments.learns:
        return None
    seen = [one for one in masked_inside(snapshot) or () if one.share > MASKED_INSIDE]
    if not seen:
        return None
    worst = max(seen, key=lambda one: one.share)
    fix = (
        "# pad with a value that the data do not have, and mask that value:\n"
        "# x = np.where(is_real, x, -1.0), with keras.layers.Masking(-1.0)"
    )
    if isinstance(worst.layer, keras.layers.Embedding):
        fix = "# number from 1, with one more row in the Embedding:\n# x = x + 1"
    return found(
        f"The mask of '{worst.layer.name}' hides {worst.share:.0%} of the steps "
        f"between the first and the last that it shows: {worst.value:g} is the "
        "padding, and stands between other values as well.",
        fix,
        share=worst.share,
        value=worst.value,
        layer=worst.layer.name,
    )
