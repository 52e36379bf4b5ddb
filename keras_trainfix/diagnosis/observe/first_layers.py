"""The layers that an input reaches on its own scale."""

from typing import Any

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.observe.head import PASS_ON
from keras_trainfix.diagnosis.observe.inputs import may_be_unscaled
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged

FEW = 4  # samples with which a layer is called again
TINY = 0.01  # largest input after a rescaling layer that no pretrained net expects
# Layers that bring their inputs to a scale of order 1.
NORMALIZING = tuple(
    getattr(keras.layers, name)
    for name in (
        "BatchNormalization",
        "LayerNormalization",
        "GroupNormalization",
        "UnitNormalization",
        "RMSNormalization",
        "Normalization",
        "Rescaling",
    )
    if hasattr(keras.layers, name)
)
# Normalizing layers with a fixed scale, which can be wrong.
SCALING = (keras.layers.Normalization, keras.layers.Rescaling)
# Layers without weights that keep the scale of their inputs.
KEEP_SCALE = PASS_ON + tuple(
    getattr(keras.layers, f"{kind}{dimensions}D")
    for kind in ("ZeroPadding", "Cropping", "UpSampling", "MaxPooling")
    for dimensions in (1, 2, 3)
)


def first_kernels(snapshot: Any, array: np.ndarray) -> list[tuple]:
    """The layers with a kernel that an input reaches, scaled by a constant at most.

    A list of `(kernel, layer, numbers that it gets)`.
    """
    fed = [(*pair, array) for pair in _recurrent(snapshot, array)]
    given = array
    carried = [array.astype("float32")]
    with unchanged(snapshot.model), backend.no_gradient():
        for index, output in enumerate(snapshot.layers):
            layer, values = output.layer, output.values
            kernel = _kernel(layer)
            if kernel is not None:
                is_tiny = given is not array and np.abs(given).max() < TINY
                gets_it = (layer.trainable_weights or is_tiny) and any(
                    _gives(layer, part, values) for part in carried
                )
                if gets_it and not _is_normalized(snapshot.layers[index + 1 :]):
                    fed.append((kernel, layer, given))
            elif isinstance(layer, SCALING) and may_be_unscaled(values):
                if any(_gives(layer, part, values) for part in carried):
                    given, carried = values, [values]
            elif isinstance(layer, NORMALIZING):
                # Fresh batch normalization changes nothing until it is trained.
                carried = [part for part in carried if not _gives(layer, part, values)]
            elif isinstance(layer, keras.layers.Concatenate):
                if any(_holds(values, part) for part in carried):
                    carried.append(values)
            elif isinstance(layer, KEEP_SCALE) and any(
                _gives(layer, part, values) for part in carried
            ):
                carried.append(values)
    return fed


def _kernel(layer):
    """The kernel `(..., inputs, units)` of a dense or convolutional layer, or None."""
    if not layer.built or not isinstance(
        layer,
        (
            keras.layers.Dense,
            keras.layers.EinsumDense,
            keras.layers.Conv1D,
            keras.layers.Conv2D,
            keras.layers.Conv3D,
        ),
    ):
        return None
    return backend.to_numpy(layer.kernel).astype("float64")


def _recurrent(snapshot, array):
    """Recurrent layers fed with the model input, which their outputs do not show."""
    tensors = getattr(snapshot.model, "inputs", None) or []
    if array.ndim != 3 or len(tensors) != len(snapshot.inputs):
        return
    for layer in getattr(snapshot.model, "layers", []):
        inner = getattr(layer, "forward_layer", layer)
        if not isinstance(inner, keras.layers.RNN):
            continue
        try:
            source = layer.input
        except (AttributeError, ValueError):  # shared, or never called on symbols
            continue
        kernel = getattr(inner.cell, "kernel", None)
        own = [t for t in tensors if t is source]
        if kernel is None or not own or kernel.shape[0] != array.shape[-1]:
            continue
        if tuple(own[0].shape[1:]) != tuple(array.shape[1:]) and len(tensors) > 1:
            continue
        yield backend.to_numpy(kernel).astype("float64"), layer


def _gives(layer, part, values):
    """Whether `layer` turns `part` into `values`, tried on a few samples."""
    part, values = part[:FEW], values[:FEW]
    try:
        again = backend.to_numpy(layer(part))
    except Exception:  # it takes no input of this shape
        return False
    again = again.astype("float32")
    return again.shape == values.shape and np.allclose(
        again, values, rtol=1e-2, atol=1e-5, equal_nan=True
    )


def _holds(values, part):
    """Whether the last axis of `values` has a slice that is `part`."""
    width = part.shape[-1]
    if values.shape[:-1] != part.shape[:-1] or values.shape[-1] < width:
        return False
    return any(
        np.array_equal(values[:FEW, ..., i : i + width], part[:FEW], equal_nan=True)
        for i in range(values.shape[-1] - width + 1)
    )


def _is_normalized(later):
    """Whether the next layer with weights normalizes."""
    for output in later:
        layer = output.layer
        is_frozen = isinstance(layer, keras.layers.BatchNormalization) and not (
            layer.trainable
        )
        if isinstance(layer, NORMALIZING) and not is_frozen:
            return True
        if layer.weights:
            return False
    return False
