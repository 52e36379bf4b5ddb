"""Whether all batches, in both epochs, have inputs of one scale and one order."""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.measure.input_gap import (
    InputGap,
    are_channels_reversed,
    channels_last,
    input_gap,
    robust_spread,
)
from keras_trainfix.diagnosis.observe.sample import Sample

FEWEST_BATCHES = 4
FEWEST = 8  # samples of a batch
MOST = 512  # samples of an epoch that are compared with the other


class BatchShift(NamedTuple):
    """The inputs of a batch against those of all batches.

    Attributes:
        batches: Integer, how many were compared.
        scales: Array, the spread of each batch over that of the middle one.
        shifts: Array, how far the mean of each batch is from that of the middle one, in
            spreads within a batch.
        reversed: Integer, batches whose channels are those of the first, reversed.
        epochs: `InputGap` of the second epoch against the first, or None.
    """

    batches: int
    scales: np.ndarray
    shifts: np.ndarray
    reversed: int
    epochs: InputGap | None


@instrument("inputs between batches")
def batch_shift(snapshot: Any) -> dict[str, BatchShift] | None:
    """Compares the inputs of the batches that `fit` would get.

    Args:
        snapshot: `Snapshot`.

    Returns:
        Dict of the name of each input to its `BatchShift`; None for arrays.
    """
    if snapshot.batches is None:
        return None
    epochs = [[_leaves(b) for b in epoch] for epoch in snapshot.batches.epochs]
    found = {}
    for index, name in enumerate(snapshot.inputs):
        parts = [[batch[index] for batch in epoch] for epoch in epochs]
        shift = compare_batches(*parts)
        if shift is not None:
            found[name] = shift
    return found or None


def compare_batches(
    first: list[np.ndarray], second: list[np.ndarray] | None = None
) -> BatchShift | None:
    """The `BatchShift` of the batches of one input in one or two epochs.

    Args:
        first: List of arrays, the batches of an epoch.
        second: The same of another epoch, or None.

    Returns:
        `BatchShift`; None for text, for constant inputs, and for too few batches.
    """
    first = [batch for batch in first if len(batch) >= FEWEST]
    shapes = {batch.shape[1:-1] for batch in first}
    if len(first) < FEWEST_BATCHES or any(b.dtype.kind not in "biuf" for b in first):
        return None
    if len({batch.shape[-1] if batch.ndim > 1 else 1 for batch in first}) > 1:
        return None
    batches = [channels_last(batch.astype("float32")) for batch in first]
    centers, spreads = np.array([_robust(batch) for batch in batches]).swapaxes(0, 1)
    center, spread = np.median(centers, 0), np.median(spreads, 0)
    kept = spread > 1e-6 * np.abs(center) + 1e-12
    if not kept.any() or not np.isfinite(spreads).all():
        return None
    scales = np.median(spreads[:, kept] / spread[kept], 1)
    shifts = np.median(np.abs(centers - center)[:, kept] / spread[kept], 1)
    turned = [are_channels_reversed(batches[0], batch) for batch in batches[1:]]
    epochs = None
    if second and len(shapes) == 1:
        epochs = input_gap(*(_joined(part) for part in (first, second)))
    return BatchShift(len(batches), scales, shifts, sum(turned), epochs)


def _robust(batch):
    """Center and spread of each column."""
    columns = batch.reshape(-1, batch.shape[-1] if batch.ndim > 1 else 1)
    return np.median(columns, 0), robust_spread(columns)


def _joined(batches):
    shape = batches[0].shape[1:]
    alike = [batch for batch in batches if batch.shape[1:] == shape]
    return np.concatenate(alike)[:MOST]


def _leaves(batch: Sample) -> list[np.ndarray]:
    x = batch.x
    return list(x.values()) if isinstance(x, dict) else keras.tree.flatten(x)
