"""Arrays as small RGB images."""

import colorsys
from typing import Any

import numpy as np

TILE = 128  # pixels of the longer side of an image in a picture
STRIPE = 4  # pixels
ROUNDING = 1e-3  # by which an image may exceed its range, as in 1.0000001
DIM = 16  # floats with a lower maximum are not bytes


def class_colors(number: int) -> np.ndarray:
    """A color for each class: dark for class 0, then hues far from the previous one.

    Args:
        number: Integer, the number of classes.

    Returns:
        Array `(number, 3)` of uint8.

    Examples:
        >>> class_colors(2).tolist()
        [[33, 36, 46], [242, 189, 61]]
    """
    colors = [(0.13, 0.14, 0.18)]
    for index in range(1, number):
        hue = (0.5 + 0.618034 * index) % 1
        brightness = 0.95 - 0.25 * (index // 3 % 2)
        colors.append(colorsys.hsv_to_rgb(hue, 0.75, brightness))
    return np.round(255 * np.array(colors[:number])).astype("uint8")


def image_tiles(
    images: np.ndarray, limits: tuple[float, float] | None = None
) -> list[np.ndarray]:
    """Images of any range as tiles.

    Args:
        images: Array `(N, H, W, C)` or `(N, H, W)`. With three or more channels, the
            first three are red, green and blue; otherwise the first one is gray.
        limits: The values drawn in black and white; None to infer them from the images.

    Returns:
        List of arrays `(height, width, 3)` of uint8, whose longer side has `TILE`
        pixels.

    Examples:
        >>> tile = image_tiles(np.ones((1, 16, 32)))[0]
        >>> tile.shape, int(tile.min())
        ((64, 128, 3), 255)
    """
    low, high = value_limits(images) if limits is None else limits
    if images.ndim == 3:
        images = images[..., None]
    channels = images[..., :3] if images.shape[-1] >= 3 else images[..., :1]
    scaled = (np.nan_to_num(channels.astype("float32")) - low) / (high - low)
    bytes_ = np.round(255 * np.clip(scaled, 0, 1)).astype("uint8")
    return [scaled_to_tile(np.broadcast_to(b, (*b.shape[:2], 3))) for b in bytes_]


def value_limits(images: np.ndarray) -> tuple[float, float]:
    """The values drawn in black and white: 0 and 1, -1 and 1, or 0 and 255.

    If images have none of these ranges, their own lowest and highest values.

    Examples:
        >>> value_limits(np.array([0.1, 0.7])), value_limits(np.array([-0.5, 0.5]))
        ((0.0, 1.0), (-1.0, 1.0))
    """
    finite = images[np.isfinite(images)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if low >= -ROUNDING and high <= 1 + ROUNDING:
        return 0.0, 1.0
    if low >= -1 - ROUNDING and high <= 1 + ROUNDING:
        return -1.0, 1.0
    is_bytes = images.dtype.kind in "iu" or high > DIM
    if low >= 0 and high <= 255 + ROUNDING and is_bytes:
        return 0.0, 255.0
    return finite_limits(finite)


def finite_limits(*arrays: Any) -> tuple[float, float]:
    """The lowest and highest finite values of arrays, widened if they are equal.

    Examples:
        >>> finite_limits(np.array([3.0, np.nan]))
        (2.5, 3.5)
    """
    flat = np.concatenate([np.empty(0), *map(np.ravel, arrays)])
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return 0.0, 1.0
    low, high = float(flat.min()), float(flat.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def scaled_to_tile(image: np.ndarray) -> np.ndarray:
    """An image whose longer side has `TILE` pixels; large ones are averaged first.

    Args:
        image: Array `(H, W, C)` of uint8.
    """
    height, width = image.shape[:2]
    step = max(1, max(height, width) // TILE)
    if step > 1 and min(height, width) >= step:
        part = image[: height - height % step, : width - width % step]
        blocks = part.reshape(height // step, step, width // step, step, -1)
        image = np.round(blocks.mean((1, 3))).astype("uint8")
    scale = TILE / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return resized(image, size)


def resized(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image with another height and width, by nearest neighbors.

    Examples:
        >>> resized(np.array([[1, 2]]), (1, 4)).tolist()
        [[1, 1, 2, 2]]
    """
    rows = np.arange(size[0]) * array.shape[0] // size[0]
    columns = np.arange(size[1]) * array.shape[1] // size[1]
    return array[rows][:, columns]


def striped(tile: np.ndarray, where: np.ndarray, colors: Any) -> np.ndarray:
    """A tile with diagonal stripes of two colors at some pixels.

    Args:
        tile: Array `(height, width, 3)` of uint8.
        where: Boolean array `(height, width)`.
        colors: Two tuples of three integers.
    """
    i, j = np.indices(where.shape)
    is_line = (i + j) // STRIPE % 2 == 1
    background, line = (np.uint8(color) for color in colors)
    pattern = np.where(is_line[..., None], line, background)
    return np.where(where[..., None], pattern, tile)
