"""KTF135 repeated-samples: the batches of `fit` hold the same few samples."""

import numpy as np

from keras_trainfix.data import leaves
from keras_trainfix.diagnosis.experiments.instruments.repeated_samples import (
    RepeatedSamples,
    repeated_samples,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import (
    DIFFERENT_SAMPLES,
    DIFFERENT_WITHIN_BATCH,
    NEW_IN_NEXT_BATCHES,
)

WHOLE_DATA = 256  # different samples that may be all there are, in one batch
FIX = """\
def batches(x, y, size=32):
    rng = np.random.default_rng()
    while True:
        rows = rng.integers(0, len(x), size)  # drawn inside the loop
        yield x[rows], y[rows]"""


@check(
    "KTF135",
    "repeated-samples",
    "error",
    action="draw other samples for each batch",
    scope="model",
    exact=True,
)
def repeated_samples_in_batches(snapshot: Snapshot) -> Found | None:
    """The batches of `fit` hold the same few samples over and over.

    ## What you see
    The training loss falls quickly, and predictions for all other samples are no better
    than chance. With arrays instead of the generator, the same model learns.

    ## Why it happens
    A generator draws its indices, or seeds its random numbers, outside of the loop, or
    `__getitem__` does not use its `index`. Every batch then holds the same samples.

    ## How to check
    Count the different rows of several batches.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    table = rng.normal(size=(1000, 4)).astype("float32")
    target = (table[:, 0] > 0).astype("float32")

    class Batches(keras.utils.PyDataset):
        rows = rng.integers(0, len(table), 32)  # once

        def __len__(self):
            return 8

        def __getitem__(self, index):
            return table[self.rows], target[self.rows]

    x, y = Batches(), None
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    several = np.concatenate([x[i][0] for i in range(8)])
    print(len(np.unique(several, axis=0)), "of", len(several))
    ```

    ## Fix
    Draw the rows of each batch inside the loop of a generator, or in `__getitem__`.

    ```python
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 8

        def __getitem__(self, index):
            rows = rng.integers(0, len(table), 32)
            return table[rows], target[rows]

    x = Batches()
    ```

    ## When this is not the cause
    If these are all the samples that you have, pass them to `fit` as arrays. A batch
    that is repeated to see whether the model can memorize it is repeated on purpose.
    With 256 samples or more it is a note: they may be the whole data.

    ## References
    [keras.utils.PyDataset](https://keras.io/api/utils/python_utils/#pydataset-class).
    """
    seen = repeated_samples(snapshot)
    if seen is None or not _are_repeated(seen) or _has_one_answer(snapshot):
        return None
    return found(
        f"The {seen.batches} batches examined hold {seen.samples} samples, of which "
        f"only {seen.different} are different: `fit` sees no others.",
        FIX,
        severity="note" if seen.different >= WHOLE_DATA else None,
        samples=seen.samples,
        different=seen.different,
        batches=seen.batches,
        new_in_next_batches=seen.new,
    )


def _are_repeated(seen: RepeatedSamples) -> bool:
    """Whether neither chance, nor an epoch that begins again, explains it."""
    if seen.within < DIFFERENT_WITHIN_BATCH or seen.new > NEW_IN_NEXT_BATCHES:
        return False
    return seen.different <= seen.largest or seen.share < DIFFERENT_SAMPLES


def _has_one_answer(snapshot: Snapshot) -> bool:
    """Whether there is one target for all: an equation solved at fixed points."""
    targets = leaves(snapshot.sample.y)
    return bool(targets) and all(
        len(leaf) > 1 and np.all(leaf == leaf[:1]) for leaf in targets
    )
