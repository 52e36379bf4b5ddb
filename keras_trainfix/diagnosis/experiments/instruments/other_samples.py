"""Does the answer to a sample depend on the other samples of its batch?"""

from typing import NamedTuple

import keras
import numpy as np

from keras_trainfix.diagnosis.experiments.answers import call_quietly, movement, some
from keras_trainfix.diagnosis.experiments.culprit import first_layer
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.observe.layer_outputs import layer_outputs
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import MOST_BY_OTHERS

HALF = 8  # samples that stay, and as many that are exchanged


class OtherSamples(NamedTuple):
    """What the other samples of a batch do to an answer in inference mode.

    Attributes:
        output: Name of the output.
        moved: Float, how far the answers to the same samples move if the others are
            exchanged, over how far they are apart.
        layer: The first layer whose output for a sample depends on the others, or None.
    """

    output: str
    moved: float
    layer: keras.Layer | None


@instrument("other samples in the batch")
def other_samples(snapshot: Snapshot) -> list[OtherSamples] | None:
    """What the other samples of a batch do.

    Args:
        snapshot: `Snapshot`.

    Returns:
        List of `OtherSamples`, one for each output that has one answer for a sample;
        None for too few samples, and for answers that differ from call to call.
    """
    if snapshot.samples < 3 * HALF:
        return None
    kept, second, third = (np.arange(HALF) + HALF * i for i in range(3))
    batches = [some(snapshot, np.concatenate([kept, rest])) for rest in (second, third)]
    first, other = (call_quietly(snapshot.model, x) for x in batches)
    found = []
    for name, prediction in zip(snapshot.names, snapshot.predictions, strict=True):
        values = first[name].astype("float64")
        if values.shape != (2 * HALF, *prediction.shape[1:]):
            continue  # such as the similarities of all pairs of a batch
        moved = _moved(values, other[name])
        if not np.isfinite(moved):
            continue
        layer = None
        if moved > MOST_BY_OTHERS:
            again = call_quietly(snapshot.model, batches[0])
            if _moved(values, again[name]) > MOST_BY_OTHERS / 10:
                continue  # random, whatever the batch
            layer = _first_layer(snapshot.model, *batches)
        found.append(OtherSamples(name, moved, layer))
    return found or None


def _moved(values, other):
    """How far the answers to the first half move, over how far they are apart."""
    same, new = values[:HALF], other[:HALF].astype("float64")
    apart = movement(same, np.roll(same, 1, axis=0)).mean()
    apart = max(apart, 1e-3 * np.abs(same).mean())
    return float(movement(same, new).mean() / apart) if apart > 0 else 0.0


def _first_layer(model, x, other):
    _, outputs = layer_outputs(model, x)
    known = iter(outputs)

    def depends(values):
        before = next(known, None)
        if before is None or len(values) != 2 * HALF:
            return False
        if before.values.shape != values.shape:
            return False
        return _moved(before.values.astype("float64"), values) > MOST_BY_OTHERS

    return first_layer(model, other, depends)
