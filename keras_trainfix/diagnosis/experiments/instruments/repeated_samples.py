"""How many different samples the batches of `fit` hold."""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.measure.row_keys import row_keys
from keras_trainfix.diagnosis.observe.sample import Sample

FEWEST_BATCHES = 3
NEXT = 3  # batches behind the first: new ones, unless the data are very few


class RepeatedSamples(NamedTuple):
    """Different samples among the batches of an epoch; targets are part of a sample.

    Attributes:
        samples: Integer, all samples in the batches that were read.
        different: Integer, how many of them differ.
        batches: Integer.
        largest: Integer, the samples of the largest batch.
        within: Float, the share of different samples within a batch. It is lower where
            samples coincide by nature, such as rows of a few categories.
        new: Float, the share of samples in a batch that those before it lack: the
            largest of the next few batches.
    """

    samples: int
    different: int
    batches: int
    largest: int
    within: float
    new: float

    @property
    def share(self) -> float:
        """Different samples over all samples."""
        return self.different / self.samples


@instrument("different samples in the batches")
def repeated_samples(snapshot: Any) -> RepeatedSamples | None:
    """Counts the different samples that `fit` would get in an epoch.

    Args:
        snapshot: `Snapshot`.

    Returns:
        `RepeatedSamples`; None for arrays, or fewer than three batches.
    """
    if snapshot.batches is None:
        return None
    return count_different(snapshot.batches.first)


def count_different(batches: list[Sample]) -> RepeatedSamples | None:
    """The `RepeatedSamples` of some batches; None for fewer than three."""
    keys = [row_keys([batch.x, batch.y]) for batch in batches]
    keys = [batch for batch in keys if len(batch)]
    if len(keys) < FEWEST_BATCHES:
        return None
    new, seen = [], set(keys[0].tolist())
    for batch in keys[1 : NEXT + 1]:
        new.append(np.mean([key not in seen for key in batch.tolist()]))
        seen.update(batch.tolist())
    everything = np.concatenate(keys)
    return RepeatedSamples(
        len(everything),
        len(np.unique(everything)),
        len(keys),
        max(map(len, keys)),
        float(np.mean([len(np.unique(batch)) / len(batch) for batch in keys])),
        float(max(new)),
    )
