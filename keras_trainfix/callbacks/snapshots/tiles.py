"""Arrays as small images of three bytes a pixel."""

import colorsys

import numpy as np

TILE = 128  # pixels of the longer side of an image in a picture
STRIPE = 4  # pixels
# Values that an image may have by a rounding more, such as 1.0000001.
SLACK = 1e-3
FEW_BITS = 16  # floats up to here are not bytes


def class_colors(number):
    """Colours `(number, 3)` of uint8: dark for class 0, then hues far from the last."""
    colors = [(0.13, 0.14, 0.18)]
    for index in range(1, number):
        hue = (0.5 + 0.618034 * index) % 1
        light = 0.95 - 0.25 * (index // 3 % 2)
        colors.append(colorsys.hsv_to_rgb(hue, 0.75, light))
    return np.round(255 * np.array(colors[:number])).astype("uint8")


def image_tiles(images, limits=None):
    """Images of any range as tiles.

    Args:
        images: Array `(N, H, W, C)` or `(N, H, W)`.
        limits: The values that are black and white, or None to tell from the images.

    Returns:
        List of arrays as `Cell.tile`.
    """
    low, high = value_limits(images) if limits is None else limits
    if images.ndim == 3:
        images = images[..., None]
    channels = images[..., :3] if images.shape[-1] >= 3 else images[..., :1]
    scaled = (np.nan_to_num(channels.astype("float32")) - low) / (high - low)
    bytes_ = np.round(255 * np.clip(scaled, 0, 1)).astype("uint8")
    return [shrunk(np.broadcast_to(one, (*one.shape[:2], 3))) for one in bytes_]


def value_limits(images):
    """The values that stand for black and white: [0, 1], [-1, 1] or [0, 255].

    Of images that have none of these ranges their own lowest and highest value.
    """
    finite = images[np.isfinite(images)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if low >= -SLACK and high <= 1 + SLACK:
        return 0.0, 1.0
    if low >= -1 - SLACK and high <= 1 + SLACK:
        return -1.0, 1.0
    is_bytes = images.dtype.kind in "iu" or high > FEW_BITS
    if low >= 0 and high <= 255 + SLACK and is_bytes:
        return 0.0, 255.0
    return finite_limits(finite)


def finite_limits(*arrays):
    """The lowest and highest finite number of arrays, a little apart at least."""
    flat = np.concatenate([np.empty(0), *map(np.ravel, arrays)])
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return 0.0, 1.0
    low, high = float(flat.min()), float(flat.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def shrunk(tile):
    """A tile whose longer side has `TILE` pixels; large ones are averaged first."""
    height, width = tile.shape[:2]
    step = max(1, max(height, width) // TILE)
    if step > 1 and min(height, width) >= step:
        part = tile[: height - height % step, : width - width % step]
        blocks = part.reshape(height // step, step, width // step, step, -1)
        tile = np.round(blocks.mean((1, 3))).astype("uint8")
    scale = TILE / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return resized(tile, size)


def resized(array, size):
    """An image with another height and width, by its nearest pixels."""
    rows = np.arange(size[0]) * array.shape[0] // size[0]
    columns = np.arange(size[1]) * array.shape[1] // size[1]
    return array[rows][:, columns]


def striped(tile, where, colors):
    """A tile with diagonal stripes of two colours at some pixels."""
    i, j = np.indices(where.shape)
    is_line = (i + j) // STRIPE % 2 == 1
    pattern = np.where(is_line[..., None], *(np.uint8(c) for c in reversed(colors)))
    return np.where(where[..., None], pattern, tile)
