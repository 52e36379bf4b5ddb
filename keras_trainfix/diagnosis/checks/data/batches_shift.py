"""KTF137 batches-shift: batches, or epochs, have inputs of different scales."""

import numpy as np

from keras_trainfix.diagnosis.checks.data.validation_differs import difference_of
from keras_trainfix.diagnosis.experiments.instruments.batch_shift import (
    BatchShift,
    batch_shift,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import BATCH_SCALE, BATCH_SHIFT

SHARE = 0.05  # of the batches, and two at least: fewer are outliers
FIX = """\
def prepare(batch):
    return batch.astype("float32") / 255  # a new array, unlike `batch /= 255`"""


@check(
    "KTF137",
    "batches-shift",
    "error",
    action="prepare all batches in the same way",
    scope="model",
    exact=True,
)
def batches_shift(snapshot: Snapshot) -> Found | None:
    """Batches, or epochs, have inputs of different scales or channel orders.

    ## What you see
    The loss jumps from batch to batch, or the model is good in the first epoch and
    useless from the second on.

    ## Why it happens
    A generator scales its array in place, so that each epoch divides by 255 again; one
    of two sources is scaled and the other is not; a part of the files was read as BGR.

    ## How to check
    Print mean and standard deviation of several batches, in two epochs.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (256, 16)).astype("float32")
    labels = (pixels[:, 0] > 127).astype("float32")

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 8

        def __getitem__(self, index):
            rows = slice(32 * index, 32 * index + 32)
            batch = pixels[rows]
            batch /= 255  # a view: the data themselves
            return batch.copy(), labels[rows]

    x, y = Batches(), None
    model = keras.Sequential([
        keras.Input((16,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    print(x[0][0].max(), x[0][0].max())
    ```

    ## Fix
    Make a new array, and prepare all sources with one function.

    ```python
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 8

        def __getitem__(self, index):
            rows = slice(32 * index, 32 * index + 32)
            return pixels[rows] / 255, labels[rows]

    pixels = rng.integers(0, 256, (256, 16)).astype("float32")
    x = Batches()
    ```

    ## When this is not the cause
    If the samples come in an order, such as recordings of one device after the other.
    Shuffle them, and scale each device by itself.

    ## References
    [NumPy: copies and views](https://numpy.org/doc/stable/user/basics.copies.html).
    """
    for name, seen in (batch_shift(snapshot) or {}).items():
        said = _between_epochs(seen) or _between_batches(seen)
        if said is None:
            continue
        where = f" of '{name}'" if len(snapshot.inputs) > 1 else ""
        return found(
            f"Inputs{where}: {said}",
            FIX,
            input=name,
            batches=seen.batches,
            smallest_scale=float(seen.scales.min()),
            largest_scale=float(seen.scales.max()),
            largest_shift=float(seen.shifts.max()),
            reversed=seen.reversed,
            scale_of_second_epoch=None if seen.epochs is None else seen.epochs.scale,
        )
    return None


def _between_epochs(seen: BatchShift) -> str | None:
    said = None if seen.epochs is None else difference_of(seen.epochs, "second epoch's")
    return None if said is None else said[0]


def _between_batches(seen: BatchShift) -> str | None:
    most = max(2, SHARE * seen.batches)
    if most <= seen.reversed:
        return (
            f"{seen.reversed} of {seen.batches} batches have the color channels of the "
            "first one in reversed order."
        )
    is_scaled = np.abs(np.log(np.maximum(seen.scales, 1e-12))) > np.log(BATCH_SCALE)
    is_shifted = seen.shifts > BATCH_SHIFT
    others = int((is_scaled | is_shifted).sum())
    if others < most:
        return None
    if is_scaled.any():
        return (
            f"{others} of {seen.batches} batches have another scale, "
            f"{seen.scales.min():.3g} to {seen.scales.max():.3g} times that of most."
        )
    return (
        f"{others} of {seen.batches} batches lie up to {seen.shifts.max():.3g} spreads "
        "away from most."
    )
