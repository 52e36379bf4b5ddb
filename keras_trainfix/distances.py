"""Euclidean distances to masks and their surfaces, by SciPy."""

import importlib.util
import math
import numbers
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

# The distance between neighbors on each axis; a single number for all, None for 1.
Spacing = float | Sequence[float] | None


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


def checked_spacing(spacing: Spacing) -> tuple[float, ...] | None:
    """`spacing` as a tuple of floats, or None.

    Raises:
        ValueError: If a number is not positive and finite.
    """
    if spacing is None:
        return None
    values: list[Any] = list(spacing) if isinstance(spacing, Iterable) else [spacing]
    if values and all(_is_number(x) and 0 < x < math.inf for x in values):
        return tuple(map(float, values))
    raise ValueError(
        "`spacing` must be positive numbers, the distance between neighboring pixels "
        f"on each axis. Received: spacing={spacing!r}."
    )


def spacing_of_axes(spacing: Spacing, axes: int) -> tuple[float, ...]:
    """`spacing` as one float for each axis of an image.

    Raises:
        ValueError: If a number is not positive and finite, or there are too many or
            too few.
    """
    sizes = checked_spacing(spacing) or (1.0,)
    if len(sizes) not in (1, axes):
        raise ValueError(
            f"`spacing` must have {axes} numbers, one for each axis of an image, or be "
            f"a single number. Received: spacing={spacing}."
        )
    return sizes * axes if len(sizes) == 1 else sizes


def has_scipy() -> bool:
    """Whether SciPy is installed."""
    return importlib.util.find_spec("scipy") is not None


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


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
