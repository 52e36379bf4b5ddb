"""Euclidean distances to masks and their surfaces, by SciPy."""

from collections.abc import Sequence
from types import ModuleType

import numpy as np


def distances_to(
    mask: np.ndarray, spacing: Sequence[float] | None = None
) -> np.ndarray:
    """The distance of each pixel to the nearest pixel of a mask.

    Args:
        mask: NumPy boolean array of any number of axes.
        spacing: The distance between neighbors on each axis, or None for 1.

    Returns:
        NumPy float64 array of the shape of `mask`: 0 inside of it, and infinite
        everywhere if it is empty.

    Raises:
        ImportError: If SciPy is not installed.

    Examples:
        >>> distances_to(np.array([[False, False, True]]), spacing=(1.0, 0.5)).tolist()
        [[1.0, 0.5, 0.0]]
    """
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return _ndimage().distance_transform_edt(~mask, sampling=spacing)


def surface_of(mask: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """The pixels of a mask that touch what is not in it.

    A pixel touches its neighbors along the axes. A mask ends where the image ends, but
    not where pixels are unknown.

    Args:
        mask: NumPy boolean array of any number of axes.
        known: NumPy boolean array of the shape of `mask`, or None if all are known.

    Returns:
        NumPy boolean array. No unknown pixel is part of the surface.

    Raises:
        ImportError: If SciPy is not installed.

    Examples:
        >>> surface_of(np.ones((3, 3), bool)).astype(int).tolist()
        [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    """
    if known is None:
        return mask & ~_ndimage().binary_erosion(mask)
    return mask & known & ~_ndimage().binary_erosion(mask | ~known)


def _ndimage() -> ModuleType:
    try:
        from scipy import ndimage
    except ImportError as error:
        raise ImportError(
            "Distances to masks need SciPy, which could not be imported "
            f"({error}). Run `pip install scipy`, or install the extra: "
            '`pip install "keras_trainfix[distances]"`.'
        ) from error
    return ndimage
