"""Pixels as the images or volumes that they came from, for losses of shapes."""

from collections.abc import Iterable

from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels.types import Tensor
from keras_trainfix.losses.pixels import Pixels


def check_spatial(pixels: Pixels) -> None:
    """Raises unless the pixels are those of images or volumes."""
    if len(pixels.shape) not in (3, 4):
        raise ValueError(
            "`y_pred` must be images (N, H, W, C) or volumes (N, D, H, W, C): this "
            f"loss looks at shapes. Received: pixels of shape {tuple(pixels.shape)}, "
            f"with {pixels.num_classes} classes. Restore the axes with "
            "`keras.ops.reshape`."
        )


def in_space(pixels: Pixels, values: Tensor) -> Tensor:
    """Values `(N, K, L)` or `(N, K, L, C)` with the axes of the images."""
    return ops.reshape(values, (*pixels.shape, *values.shape[3:]))


def as_rows(pixels: Pixels, values: Tensor) -> Tensor:
    """Values with the axes of the images as `(N, K, L, C)`: undoes `in_space`."""
    return ops.reshape(values, (*ops.shape(pixels.valid), values.shape[-1]))


def spatial_axes(values: Tensor) -> Iterable[int]:
    """The axes of the images in values `(N, ..., C)`."""
    return range(1, len(values.shape) - 1)


def largest_of_three(values: Tensor, axis: int) -> Tensor:
    """The largest of each value and its two neighbors along an axis."""
    before = (slice(None),) * axis
    edges = [(0, 0)] * len(values.shape)
    edges[axis] = (1, 1)
    padded = ops.pad(values, edges, constant_values=-float("inf"))
    neighbors = backend.maximum(
        padded[(*before, slice(None, -2))], padded[(*before, slice(2, None))]
    )
    return backend.maximum(values, neighbors)
