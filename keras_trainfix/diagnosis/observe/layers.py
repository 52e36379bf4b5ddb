"""Kinds of layers, and their outputs and kernels with the units last."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.observe.head import activation_of
from keras_trainfix.diagnosis.observe.layer_outputs import LayerOutput

CELLS = (
    layers.SimpleRNNCell,
    layers.GRUCell,
    layers.LSTMCell,
)  # one call for each time step
FEW_ROWS = 32  # samples and places: too few to judge what a unit never does
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
DENSE_OR_CONV = (
    layers.Dense,
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    *TRANSPOSED,
)


def is_relu(layer: keras.Layer) -> bool:
    """Whether a layer ends with a ReLU that is 0 for negative inputs."""
    if isinstance(layer, CELLS) or activation_of(layer) not in ("relu", "relu6"):
        return False
    slope = getattr(layer, "negative_slope", 0)
    return not (slope and np.any(slope))


def units_of(layer: keras.Layer, values: np.ndarray) -> np.ndarray:
    """The output of a layer as `(samples and places, units)`."""
    if getattr(layer, "data_format", None) == "channels_first" and values.ndim > 2:
        values = np.moveaxis(values, 1, -1)
    return values.reshape(-1, values.shape[-1])


def dead_share(output: LayerOutput) -> float:
    """Share of the units of a `LayerOutput` that are 0 for all samples and places."""
    return float((units_of(*output) == 0).all(0).mean())


def worst_dead_share(outputs: Sequence[LayerOutput]) -> float:
    """The share of dead units in the worst ReLU layer; 0 without one."""
    return max((dead_share(one) for one in outputs if is_relu(one.layer)), default=0.0)


def spread_left(outputs: Sequence[LayerOutput]) -> float:
    """The spread between samples in the last hidden layer over that in the first."""
    hidden = [
        float(output.values.astype("float64").std(0).mean())
        for output in outputs
        if isinstance(output.layer, DENSE_OR_CONV) and output.is_finite
    ][:-1]
    return hidden[-1] / hidden[0] if len(hidden) > 1 and hidden[0] else 1.0


def kernel_columns(layer: keras.Layer) -> np.ndarray:
    """The kernel of a layer of `DENSE_OR_CONV` as `(inputs, units)`."""
    kernel = to_numpy(layer.kernel).astype("float64")
    if isinstance(layer, TRANSPOSED):
        kernel = np.moveaxis(kernel, -2, -1)
    return kernel.reshape(-1, kernel.shape[-1])
