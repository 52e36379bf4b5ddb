"""Soft skeletons: the center lines of structures, by repeated erosion and dilation."""

import functools
from collections.abc import Iterable

from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels.types import Tensor
from keras_trainfix.losses.spatial import spatial_axes


def soft_skeleton(values: Tensor, valid: Tensor, iterations: int) -> Tensor:
    """The soft skeleton of each class, after Shit et al.

    The skeleton gathers what an opening removes, from the image and from each of its
    erosions. Minima and maxima are over valid pixels: void is treated as what lies
    outside the image.

    Args:
        values: Float tensor `(N, ..., C)` between 0 and 1, with two or three axes of
            pixels.
        valid: Boolean tensor `(N, ...)`.
        iterations: Integer, 0 or more: how many erosions. Structures of up to
            `2 * iterations + 1` pixels across have a skeleton.

    Returns:
        Float tensor of the shape of `values`, 0 where not valid.
    """
    valid = ops.expand_dims(valid, -1)
    skeleton = None
    for _ in range(iterations + 1):
        eroded = _eroded(values, valid)
        edge = ops.relu(ops.where(valid, values - _dilated(eroded, valid), 0))
        if skeleton is None:
            skeleton = edge
        else:
            skeleton = skeleton + ops.relu(edge - skeleton * edge)
        values = eroded
    return skeleton


def _eroded(values: Tensor, valid: Tensor) -> Tensor:
    """The smallest valid value in the cross around each pixel; 0 where not valid."""
    known = ops.where(valid, -values, -float("inf"))
    largest = [_largest(known, (axis,)) for axis in spatial_axes(values)]
    return ops.where(valid, -functools.reduce(backend.maximum, largest), 0)


def _dilated(values: Tensor, valid: Tensor) -> Tensor:
    """The largest valid value in the square or cube around each pixel, if valid."""
    known = ops.where(valid, values, -float("inf"))
    return ops.where(valid, _largest(known, spatial_axes(values)), 0)


def _largest(values: Tensor, axes: Iterable[int]) -> Tensor:
    """The largest of each value and its neighbors along some axes."""
    size = tuple(3 if axis in axes else 1 for axis in spatial_axes(values))
    shape = ops.shape(values)
    if len(shape) == 4:
        return _pooled(values, size)
    # Volumes are pooled as images: on TensorFlow each of several equal values in a
    # cuboid would get the whole gradient.
    if size[0] > 1:
        flat = ops.reshape(values, (shape[0], shape[1], -1, shape[-1]))
        values = ops.reshape(_pooled(flat, (3, 1)), shape)
    if max(size[1:]) > 1:
        flat = ops.reshape(values, (-1, *shape[2:]))
        values = ops.reshape(_pooled(flat, size[1:]), shape)
    return values


def _pooled(values: Tensor, size: tuple[int, ...]) -> Tensor:
    # The lowest supported Keras pads sizes of 1 as well, on torch.
    width = [(0, 0), *((length // 2, length // 2) for length in size), (0, 0)]
    padded = ops.pad(values, width, constant_values=-float("inf"))
    return ops.max_pool(padded, size, 1, "valid", data_format="channels_last")
