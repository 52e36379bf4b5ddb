"""The batches that `fit` would get, in its order, kept for a look at them."""

from typing import Any, NamedTuple

import keras

from keras_trainfix.data import batches
from keras_trainfix.diagnosis.observe.sample import BatchLimits, Sample, first_batches

MOST_SAMPLES = 2048  # of an epoch
MOST_BATCHES = 64  # of an epoch
MOST_NUMBERS = 2**24  # entries of the inputs of an epoch
FEWEST_BATCHES = 6  # of an epoch: fewer do not show how batches differ


class Batches(NamedTuple):
    """What `fit` would get.

    Attributes:
        epochs: List of one or two epochs, each a list of `Sample`, one a batch. Of a
            long epoch the first batches only.
        taken: Integer, how many batches a one-time iterator was asked for, which are
            lost to `fit`; 0 if the data can be read again.
    """

    epochs: list[list[Sample]]
    taken: int = 0

    @property
    def first(self) -> list[Sample]:
        """The batches of the first epoch."""
        return self.epochs[0]


def read_batches(
    data: Any, number: int | None, least: int, steps: int | None = None
) -> Batches:
    """Reads batches as `fit` would.

    Data that can be read again are read twice, because a pipeline may draw anew in each
    epoch; a one-time iterator gives no more than `least` asks for, or six batches.

    Args:
        data: Batches as `fit` takes them.
        number: Integer, how many inputs the model has, or None.
        least: Integer, how many samples are needed.
        steps: Integer, `steps_per_epoch`, or None.

    Returns:
        `Batches`.

    Raises:
        ValueError: If there is no sample, or an entry is no batch.
        TypeError: If `data` cannot be iterated over.
    """
    most_batches = min(MOST_BATCHES, steps or MOST_BATCHES)
    limits = BatchLimits(most_batches, MOST_NUMBERS, FEWEST_BATCHES)
    if is_once(data):
        first = first_batches(batches(data), number, least, limits)
        return Batches([first], len(first))
    most = max(least, MOST_SAMPLES)
    return Batches(
        [first_batches(batches(data), number, most, limits) for _ in range(2)]
    )


def is_once(data: Any) -> bool:
    """Whether this is an iterator that cannot begin again, such as a generator."""
    return hasattr(data, "__next__") and iter(data) is data


def of_output(y: Any, view: Any) -> Any:
    """The part of targets, as the user gave them, that belongs to an output.

    Args:
        y: Array, or a list, tuple or dict of them.
        view: `OutputView`.

    Returns:
        Array, or None.
    """
    if isinstance(y, dict):
        return y.get(view.name, next(iter(y.values())) if len(y) == 1 else None)
    parts = keras.tree.flatten(y)
    return parts[view.index] if view.index < len(parts) else None
