"""Inputs that are numbers, and their scale: shared by the checks of inputs."""

from typing import Any

import keras
import numpy as np

from keras_trainfix.data import leaves
from keras_trainfix.labels.shapes import shapes_fit


def numeric_inputs(snapshot: Any) -> dict[str, np.ndarray]:
    """The inputs that are numbers, not strings."""
    return {
        name: array
        for name, array in snapshot.inputs.items()
        if getattr(array, "dtype", np.dtype(object)).kind in "biuf" and array.ndim
    }


def feature_sizes(array: np.ndarray) -> np.ndarray:
    """Root mean squares along the last axis, of finite numbers."""
    rows = array.reshape(-1, array.shape[-1] if array.ndim > 1 else 1)
    rows = np.where(np.isfinite(rows), rows, 0).astype("float64")
    return np.sqrt((rows**2).mean(0))


def may_be_unscaled(array: np.ndarray) -> bool:
    """Whether the scale is far from order 1: a cheap test before layers are called."""
    sizes = feature_sizes(array)
    largest = np.abs(np.nan_to_num(array)).max()
    return bool(sizes.max() >= 10 or 0 < largest < 0.01)


def hint_for_call(model: keras.Model, sample: Any) -> str:
    """What may be wrong with samples on which the model cannot be called.

    Args:
        model: The `keras.Model`.
        sample: `Sample`.

    Returns:
        String, a sentence for an error message.
    """
    arrays = leaves(sample.x)
    expected = leaves(getattr(model, "inputs", None) or [])
    if len(arrays) == len(expected) and all(
        array.ndim == len(tensor.shape) - 1
        for array, tensor in zip(arrays, expected, strict=True)
    ):
        return "Data must be batched: call `.batch(32)` on a `tf.data.Dataset`."
    for array, tensor in zip(arrays, expected, strict=False):
        given, wanted = tuple(array.shape[1:]), tuple(tensor.shape[1:])
        if len(arrays) == len(expected) and not shapes_fit(given, wanted):
            return (
                f"A sample of `x` has the shape {given}, and the model takes {wanted}."
            )
    parts = [leaves(part) for part in sample[:3]]
    if all(len(part) == 1 for part in parts):
        x, y, weights = (part[0] for part in parts)
        if x.shape == y.shape == weights.shape and x.ndim > 1:
            return (
                "A batch of three arrays is read as (x, y, sample_weight): put three "
                "inputs into a tuple of their own, ((a, b, c),)."
            )
    return "Check them by `model(x[:1])`."
