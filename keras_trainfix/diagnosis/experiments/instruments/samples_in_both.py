"""Validation samples that are training samples too."""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.data import as_array, leaves, mapped
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.measure.row_keys import row_keys
from keras_trainfix.diagnosis.observe.sample import is_batches, numbers_of

MOST_NUMBERS = 2**24  # entries of the training inputs that are compared


class SamplesInBoth(NamedTuple):
    """Validation inputs that occur in the training.

    Attributes:
        samples: Integer, how many validation samples were looked for.
        found: Integer, how many of them are in the training.
        repeated: Float, the share of training samples that occur there more than once,
            as inputs of a few categories do by nature.
    """

    samples: int
    found: int
    repeated: float

    @property
    def share(self) -> float:
        """The share that was found, beyond what coincides by nature."""
        return max(0.0, self.found / self.samples - self.repeated)


@instrument("samples in training and validation")
def samples_in_both(snapshot: Any) -> SamplesInBoth | None:
    """Looks for the validation samples among those of the training.

    Args:
        snapshot: `Snapshot`.

    Returns:
        `SamplesInBoth`; None without validation data.
    """
    if snapshot.validation is None:
        return None
    return count_in_both(_training_keys(snapshot), row_keys(snapshot.validation.x))


def count_in_both(training: np.ndarray, validation: np.ndarray) -> SamplesInBoth:
    """The `SamplesInBoth` of the keys of samples; see `row_keys`."""
    keys, counts = np.unique(training, return_counts=True)
    repeated = counts[counts > 1].sum() / len(training)
    found = int(np.isin(validation, keys).sum())
    return SamplesInBoth(len(validation), found, float(repeated))


def _training_keys(snapshot):
    if snapshot.batches is not None:
        return np.concatenate([row_keys(batch.x) for batch in snapshot.batches.first])
    if is_batches(snapshot.given):  # a later look
        return row_keys(snapshot.sample.x)
    most = max(1, MOST_NUMBERS // numbers_of(snapshot.sample.x))
    x = mapped(as_array, snapshot.given.x)
    step = -(-len(leaves(x)[0]) // most)
    return row_keys(mapped(lambda leaf: leaf[::step], x))
