"""KTF143 samples-in-both: validation samples that the model is trained on."""

from keras_trainfix.diagnosis.experiments.instruments.samples_in_both import (
    samples_in_both,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import IN_BOTH

FEWEST = 5  # validation samples
FIX = """\
rows = x.reshape(len(x), -1)
_, first = np.unique(rows, axis=0, return_index=True)  # without repetitions
order = np.random.default_rng(0).permutation(first)
train, held_out = order[len(order) // 5 :], order[: len(order) // 5]
model.fit(x[train], y[train], validation_data=(x[held_out], y[held_out]))"""


@check(
    "KTF143",
    "samples-in-both",
    "warning",
    action="remove the training samples from the validation data",
    scope="model",
    exact=True,
    mild=True,
    overrules=("KTF603",),
)
def validation_in_training(snapshot: Snapshot) -> Found | None:
    """Validation samples are among the training samples.

    ## What you see
    The validation accuracy follows the training accuracy up to the end, and new data
    give much worse results.

    ## Why it happens
    The data were oversampled, augmented or windowed before they were split, or the same
    rows were passed twice. The model can memorize what it is validated on.

    ## How to check
    Count the validation rows that occur in the training.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    table = rng.normal(size=(200, 4)).astype("float32")
    target = (table[:, 0] > 0).astype("float32")
    x, y = table, target
    validation_data = table[150:], target[150:]
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    known = set(map(bytes, x))
    print(sum(bytes(row) in known for row in validation_data[0]))
    ```

    ## Fix
    Split first, then oversample or augment the training part.

    ```python
    x, y = table[:150], target[:150]
    ```

    ## When this is not the cause
    If a sample has few possible values, equal rows are no leak: rows that repeat within
    the training are not counted.

    ## References
    [Kapoor and Narayanan, 2023](https://doi.org/10.1016/j.patter.2023.100804).
    """
    seen = samples_in_both(snapshot)
    if seen is None or seen.found < FEWEST or seen.share < IN_BOTH:
        return None
    return found(
        f"{seen.found} of {seen.samples} validation samples examined are among the "
        "training samples, so the validation does not show how the model does on new "
        "ones.",
        FIX,
        examined=seen.samples,
        found=seen.found,
        repeated_in_training=seen.repeated,
    )
