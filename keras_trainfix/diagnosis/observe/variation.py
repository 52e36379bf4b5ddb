"""What varies between samples, and which values are those of an output."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

ROUNDING = 1e-5  # of the largest value


def varies(values: np.ndarray) -> bool:
    """Whether values differ between samples by more than rounding.

    Args:
        values: Array `(N, ...)` of numbers or strings.

    Returns:
        Boolean; True where some are not finite, and False for a single sample.
    """
    if values.dtype.kind not in "biuf":
        return len(set(values.ravel().tolist())) > 1
    if values.ndim == 0 or len(values) < 2:
        return False
    values = values.astype("float64")
    if not np.isfinite(values).all():
        return True
    spread = np.ptp(values, axis=0).max(initial=0)
    return bool(spread > ROUNDING * np.abs(values).max(initial=0))


def inputs_vary(snapshot: Any) -> bool:
    """Whether any input of a `Snapshot` differs between samples."""
    return any(map(varies, snapshot.inputs.values()))


def is_finite(values: np.ndarray) -> bool:
    """Whether an array holds neither NaN nor Inf."""
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())


def root_mean_square(values: np.ndarray) -> float:
    """The root mean square of an array; 0 for an empty one."""
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0


def calls_by_layer(
    outputs: Sequence[tuple[keras.Layer, np.ndarray]],
) -> list[tuple[keras.Layer, list[np.ndarray]]]:
    """Pairs of each layer and the outputs of its calls, in order."""
    calls: dict[int, tuple] = {}
    for layer, values in outputs:
        calls.setdefault(id(layer), (layer, []))[1].append(values)
    return list(calls.values())


def answer_layers(snapshot: Any) -> set[str]:
    """Names of the layers whose outputs are the answers, and the last with weights."""
    names = {view.head.layer for view in snapshot.views()}
    weighted = [output.layer.name for output in snapshot.layers if output.layer.weights]
    return names | set(weighted[-1:])


def is_output(snapshot: Any, values: np.ndarray) -> bool:
    """Whether the values of a layer are those of an output of the model."""
    return any(same_values(values, prediction) for prediction in snapshot.predictions)


def same_values(values: np.ndarray, prediction: np.ndarray) -> bool:
    """Whether values, perhaps of the first samples only, equal a prediction."""
    part = prediction.ravel()[: values.size]
    return values.size > 0 and np.array_equal(values.ravel(), part, equal_nan=True)
