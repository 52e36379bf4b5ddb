"""Exact Euclidean distances by operations of Keras, in eager and in compiled code."""

from collections.abc import Sequence

import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.distances import (
    Spacing,
    distances_to,
    has_scipy,
    spacing_of_axes,
)
from keras_trainfix.labels.types import Tensor
from keras_trainfix.losses.pixels import Pixels
from keras_trainfix.losses.spatial import as_rows, in_space, largest_of_three


def squared_distances(seeds: Tensor, spacing: Sequence[float], dtype: str) -> Tensor:
    """The squared distance of each pixel to the nearest seed of its image and class.

    Eager code on a CPU leaves it to SciPy, where that is installed. Otherwise it goes
    axis by axis, after Lotufo and Zampirolli: a square is a sum of odd numbers, so that
    the parabola around each pixel is the result of steps to its neighbors that cost 1,
    3, 5 and so on. The steps end when no pixel changes.

    Args:
        seeds: Boolean tensor `(N, ..., C)`.
        spacing: A float for each of the axes between.
        dtype: `"float32"` or `"float64"`.

    Returns:
        Tensor of the shape of `seeds`, without gradient; infinite without a seed.

    Reference:
        [Lotufo and Zampirolli, 2001](https://doi.org/10.1109/SIBGRAPI.2001.963068).
    """
    if backend.is_concrete(seeds) and backend.on_cpu(seeds) and has_scipy():
        found = _by_scipy(backend.to_numpy(seeds), spacing)
        return ops.convert_to_tensor(found, dtype)
    nearness = ops.cast(ops.where(seeds, 0.0, -float("inf")), dtype)
    for axis, size in enumerate(spacing, start=1):
        nearness = _along(nearness, axis, size**2)
    return -ops.stop_gradient(nearness)


def _by_scipy(seeds: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """The same, in time that is linear in the number of pixels."""
    found = np.empty(seeds.shape)
    for image, index in np.ndindex(seeds.shape[0], seeds.shape[-1]):
        mask = seeds[image, ..., index]
        found[image, ..., index] = distances_to(mask, spacing) ** 2
    return found


def _along(nearness: Tensor, axis: int, cost: float) -> Tensor:
    """The largest nearness along an axis, less the price of the way."""

    def step(values: Tensor, price: Tensor, _: Tensor) -> tuple[Tensor, ...]:
        around = largest_of_three(values, axis) - price
        nearer = backend.maximum(values, around)
        return nearer, price + 2 * cost, ops.any(nearer > values)

    first = ops.cast(ops.convert_to_tensor(cost), nearness.dtype)
    state = (nearness, first, ops.convert_to_tensor(True))
    return ops.while_loop(lambda values, price, changes: changes, step, state)[0]


def boundary_distances(pixels: Pixels, masks: Tensor, spacing: Spacing) -> Tensor:
    """The squared distance of each pixel to the nearest one across the boundary.

    Args:
        pixels: The `Pixels` that `masks` belong to.
        masks: Boolean tensor `(N, K, L, C)`.
        spacing: Float, one for each axis of the images, or None.

    Returns:
        Float tensor `(N, K, L, C)`: inside a mask the squared distance to the nearest
        valid pixel outside, outside to the nearest valid one inside. 0 where there is
        none, and under void.
    """
    valid = ops.expand_dims(pixels.valid, -1)
    inside = ops.logical_and(masks, valid)
    outside = ops.logical_and(ops.logical_not(masks), valid)
    seeds = ops.concatenate([inside, outside], axis=-1)
    sizes = spacing_of_axes(spacing, len(pixels.shape) - 1)
    dtype = pixels.weights.dtype
    found = as_rows(pixels, squared_distances(in_space(pixels, seeds), sizes, dtype))
    to_inside, to_outside = ops.split(found, 2, axis=-1)
    across = ops.where(masks, to_outside, to_inside)
    has_boundary = ops.logical_and(valid, across < float("inf"))
    return ops.where(has_boundary, across, 0)
