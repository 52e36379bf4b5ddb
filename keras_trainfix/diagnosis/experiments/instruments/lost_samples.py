"""Behind which layer are different samples the same?"""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.data import is_text
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.instruments.layer_calls import layer_calls
from keras_trainfix.diagnosis.observe.layer_calls import LayerCall
from keras_trainfix.diagnosis.observe.variation import ROUNDING, varies
from keras_trainfix.diagnosis.thresholds import SAMPLES_LEFT

FEWEST = 8  # different samples of the inputs
# Layers that make few classes of many values; one class is too few there as well.
CLASSES_ON_PURPOSE = (
    keras.layers.Discretization,
    keras.layers.Hashing,
    keras.layers.HashedCrossing,
    keras.layers.CategoryEncoding,
    keras.layers.IntegerLookup,
    keras.layers.StringLookup,
    keras.layers.TextVectorization,
)


class Place(NamedTuple):
    """A layer, and the share of different samples behind it.

    Attributes:
        layer: The `keras.Layer`.
        share: Float, of the samples.
        samples: Integer, how many there were.
    """

    layer: Any
    share: float
    samples: int


class LostSamples(NamedTuple):
    """Where different samples become the same.

    Attributes:
        inputs: Float, the share of different samples in the inputs.
        places: List of a `Place` for each layer that answers for each sample.
        lost: The `Place` behind which too few are different, up to the end; or None.
    """

    inputs: float
    places: list[Place]
    lost: Place | None


@instrument("different samples behind each layer")
def lost_samples(snapshot: Any) -> LostSamples | None:
    """The `LostSamples`; None where the inputs themselves are too few or the same."""
    calls = layer_calls(snapshot)
    if calls is None or not calls.layers:
        return None
    whole = calls.layers[-1]  # of the model itself
    samples = len(whole.inputs[0]) if whole.inputs else 0
    given = share_of_different(whole.inputs)
    if not given or given * samples < FEWEST or given < SAMPLES_LEFT:
        return None
    leaves = [call for call in calls.leaves if _is_by_sample(call, samples)]
    places = [
        Place(call.layer, share, len(call.outputs[0]))
        for call in leaves
        if (share := share_of_different(call.outputs)) is not None
    ]
    end = share_of_different(whole.outputs)
    is_lost = end is not None and end < SAMPLES_LEFT
    return LostSamples(given, places, _lost(leaves) if is_lost else None)


def share_of_different(arrays: tuple[np.ndarray, ...]) -> float | None:
    """The share of different rows, all arrays side by side.

    Args:
        arrays: Tuple of arrays `(N, ...)` of numbers or text. Those of fewer rows than
            the first are left out.

    Returns:
        Float: 1 / N if all rows are equal up to rounding. None without an array, or
        where some number is not finite.
    """
    if not arrays or not len(arrays[0]):
        return None
    rows: list[list[bytes]] = []
    for array in arrays:
        if len(array) != len(arrays[0]):
            continue
        if is_text(array):
            flat = array.reshape(len(array), -1)
            rows.append([repr(row).encode() for row in flat.tolist()])
            continue
        if array.dtype.kind == "f":
            if not np.isfinite(array).all():
                return None
            unit = ROUNDING * float(np.abs(array).max(initial=0)) or 1.0
            array = np.round(array.astype("float64") / unit).astype("int64")
        rows.append([row.tobytes() for row in array])
    return len(set(zip(*rows, strict=True))) / len(arrays[0])


def _is_by_sample(call: LayerCall, samples: int) -> bool:
    return bool(call.inputs and call.outputs) and (
        len(call.inputs[0]) == len(call.outputs[0]) == samples
    )


def _lost(leaves: list[LayerCall]) -> Place | None:
    """The layer that loses samples for good: none behind it has more different ones.

    None where a layer with weights comes before: they may be the reason.
    """
    shares = [share_of_different(call.outputs) for call in leaves]
    kept = [i for i, s in enumerate(shares) if s is None or s >= SAMPLES_LEFT]
    place = kept[-1] + 1 if kept else 0
    weighted = [_has_weights(call.layer) for call in leaves]
    if any(weighted[: place + 1]) or not any(weighted[place + 1 :]):
        return None
    call, share = leaves[place], shares[place]
    before = share_of_different(call.inputs)
    if share is None or before is None or before < SAMPLES_LEFT:
        return None
    makes_classes = isinstance(call.layer, CLASSES_ON_PURPOSE)
    if makes_classes and any(map(varies, call.outputs)):
        return None
    return Place(call.layer, share, len(call.outputs[0]))


def _has_weights(layer):
    """Whether a layer has weights, not only the statistics of its inputs."""
    return bool(layer.weights) and not isinstance(layer, keras.layers.Normalization)
