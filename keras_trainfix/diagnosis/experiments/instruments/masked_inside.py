"""Does a mask hide steps between real ones, not only the padding around them?"""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.instruments.layer_calls import layer_calls


class MaskedInside(NamedTuple):
    """A layer whose mask has holes.

    Attributes:
        layer: The `keras.Layer` that computes the mask.
        value: Float, the value that it hides.
        share: Float, of the steps between the first and the last that it shows, those
            that it hides.
    """

    layer: Any
    value: float
    share: float


@instrument("masked steps between others")
def masked_inside(snapshot: Any) -> list[MaskedInside] | None:
    """The layers whose masks have holes; None for a model without such layers.

    Args:
        snapshot: `Snapshot`.
    """
    calls = layer_calls(snapshot)
    pairs = [
        (call.layer, call.inputs[0])
        for call in (calls.layers if calls else ())
        if masks(call.layer) and call.inputs
    ]
    if not pairs:
        return None
    return [
        MaskedInside(layer, float(getattr(layer, "mask_value", 0)), share)
        for layer, values in pairs
        if (share := share_inside(to_numpy(layer.compute_mask(values)))) > 0
    ]


def masks(layer: keras.Layer) -> bool:
    """Whether a layer computes a mask from the values that it gets."""
    if isinstance(layer, keras.layers.Embedding):
        return bool(layer.mask_zero)
    return isinstance(layer, keras.layers.Masking)


def within(mask: np.ndarray) -> np.ndarray:
    """The steps from the first to the last that a mask shows.

    Args:
        mask: Boolean array `(N, steps)`, True for a step that is shown.

    Examples:
        >>> within(np.array([[False, True, False, True, False]])).astype(int).tolist()
        [[0, 1, 1, 1, 0]]
    """
    before = np.cumsum(mask, 1) > 0
    behind = np.cumsum(mask[:, ::-1], 1)[:, ::-1] > 0
    return before & behind


def share_inside(mask: np.ndarray) -> float:
    """The share of hidden steps among those within; 0 where nothing is shown."""
    if mask.ndim != 2:
        return 0.0
    inside = within(mask)
    return float((inside & ~mask).sum() / max(1, inside.sum()))
