"""How far two sets of the same inputs lie apart: scale, shift, order of channels."""

from typing import NamedTuple

import numpy as np

FEWEST = 8  # samples of each
CHANNELS = (3, 4)
FAR, NEAR = 25.0, 9.0  # squared standard errors between means of channels
TINY = 1e-12


class InputGap(NamedTuple):
    """Second inputs against first ones.

    Attributes:
        shift: Float, distance of the means in standard deviations of the first: the
            median over columns or channels.
        scale: Float, the standard deviation of the second over that of the first: 1 for
            the same scale. Whichever is closest to 1 of the median over columns, all
            columns together, and a spread in which outliers count little.
        is_reversed: Whether the second have the channels of the first in reversed
            order: BGR for RGB.
        ranges: Two pairs `(low, high)` of all numbers, of the first and the second.
    """

    shift: float
    scale: float
    is_reversed: bool
    ranges: tuple[tuple[float, float], tuple[float, float]]


def input_gap(first: np.ndarray, second: np.ndarray) -> InputGap | None:
    """The `InputGap` of two arrays of inputs.

    Args:
        first: Array `(N, ...)`.
        second: Array `(M, ...)`.

    Returns:
        `InputGap`; None for text, few samples, no finite numbers, constant columns, or
        a different number of columns.
    """
    arrays = [np.asarray(array) for array in (first, second)]
    if any(a.dtype.kind not in "biuf" or len(a) < FEWEST for a in arrays):
        return None
    one, two = (channels_last(array.astype("float32")) for array in arrays)
    if one.ndim != two.ndim or one.shape[-1] != two.shape[-1]:
        return None
    columns = [a.reshape(-1, a.shape[-1] if a.ndim > 1 else 1) for a in (one, two)]
    columns = [c[np.isfinite(c).all(1)].astype("float64") for c in columns]
    if not all(map(len, columns)):
        return None
    (mean, spread), (mean_2, spread_2) = ((c.mean(0), c.std(0)) for c in columns)
    kept = spread > TINY + 1e-6 * np.abs(mean)
    if not kept.any():
        return None
    ratios = np.maximum(spread_2[kept], TINY) / spread[kept]
    shifts = np.abs(mean_2 - mean)[kept] / spread[kept]
    robust = robust_spread(columns[1])[kept] / robust_spread(columns[0])[kept]
    scales = np.array(
        [np.median(ratios), np.sqrt((ratios**2).mean()), np.median(robust)]
    )
    scales = np.maximum(scales, TINY)
    ranges = tuple((float(c.min()), float(c.max())) for c in columns)
    return InputGap(
        float(np.median(shifts)),
        float(scales[np.abs(np.log(scales)).argmin()]),
        are_channels_reversed(one, two),
        (ranges[0], ranges[1]),
    )


def robust_spread(columns: np.ndarray) -> np.ndarray:
    """The spread of each column around its median; outliers count by their roots.

    Unlike a quantile it is not 0 for columns that are mostly 0.

    Args:
        columns: Array `(N, C)`.

    Returns:
        Array `(C,)`.
    """
    return np.sqrt(np.abs(columns - np.median(columns, 0))).mean(0) ** 2


def are_channels_reversed(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether images `(N, H, W, C)` have the colors of others in reversed order."""
    if first.ndim != 4 or first.shape[-1] not in CHANNELS:
        return False
    means = [array[..., :3].mean((1, 2)) for array in (first, second)]
    error = np.sqrt(sum(array.var(0) / len(array) for array in means)) + TINY
    one, two = (array.mean(0) for array in means)
    as_given = (((two - one) / error) ** 2).mean()
    exchanged = (((two[::-1] - one) / error) ** 2).mean()
    return bool(as_given > FAR and exchanged < NEAR and exchanged < as_given / 10)


def channels_last(images: np.ndarray) -> np.ndarray:
    """Images with their channels on the last axis; other arrays as they are."""
    if images.ndim != 4:
        return images
    is_first = images.shape[1] in (1, 3, 4) and images.shape[-1] not in (1, 3, 4)
    return np.moveaxis(images, 1, -1) if is_first else images
