"""How far each layer moves from look to look: a record for the report."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.observe.layer_outputs import leaf_layers

MOST_LAYERS = 40
MOST_NUMBERS = 2**24  # that are read at a look: what is beyond is left out
SAMPLED = 1024  # numbers that are kept of each weight


class LayerRecord:
    """The relative change of kernels and moving statistics between looks.

    It reads weights and changes none. Of each weight it keeps a sample of the numbers.

    Attributes:
        steps: List of integers, the step of each look from the second on.
        changes: Dict of the name of a layer, or of its statistics, to a list with one
            float for each of these steps: the root mean square of the change over that
            of the weight; NaN where it is not finite.
    """

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.changes: dict[str, list[float]] = {}
        self._before: dict[str, np.ndarray] = {}
        self._looked_at = -1

    def look(self, model: keras.Model, step: int) -> None:
        """Records what has changed since the last look.

        Args:
            model: A built `keras.Model`.
            step: Integer, steps so far. The same step again is no look.
        """
        if step == self._looked_at:
            return
        now, self._looked_at = dict(_sampled(model)), step
        if self._before:
            self.steps.append(step)
            for name in dict.fromkeys([*self.changes, *now]):
                row = self.changes.setdefault(name, [])
                row += [float("nan")] * (len(self.steps) - 1 - len(row))
                row.append(_change(self._before.get(name), now.get(name)))
        self._before = now


def _sampled(model: keras.Model) -> Iterator[tuple[str, np.ndarray]]:
    left, layers = MOST_NUMBERS, 0
    for layer in leaf_layers(model):
        for name, weight in _weights_of(layer):
            size = int(np.prod(weight.shape))
            if layers >= MOST_LAYERS or size > left or not size:
                continue
            left, layers = left - size, layers + 1
            values = to_numpy(weight.value).ravel()
            yield name, values[:: max(1, size // SAMPLED)].astype("float64")


def _weights_of(layer: keras.Layer) -> Iterator[tuple[str, Any]]:
    """The kernel of a layer, and its moving variance."""
    kernel = next((weight for weight in layer.weights if len(weight.shape) > 1), None)
    if kernel is not None:
        yield layer.name, kernel
    statistics = getattr(layer, "moving_variance", None)
    if statistics is not None and getattr(statistics, "shape", None):
        yield f"{layer.name} (statistics)", statistics


def _change(before: np.ndarray | None, now: np.ndarray | None) -> float:
    if before is None or now is None or before.shape != now.shape:
        return float("nan")
    size = np.sqrt(np.mean(before**2))
    moved = np.sqrt(np.mean((now - before) ** 2))
    ratio = moved / size if size else (0.0 if not moved else 1.0)
    return float(ratio) if np.isfinite(ratio) else float("nan")
