"""Inputs that are numbers, and their scale: shared by the checks of inputs."""

from typing import Any

import numpy as np


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
