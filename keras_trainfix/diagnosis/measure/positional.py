"""Whether targets say where something is in an image, so that they move with it."""

import numpy as np

from keras_trainfix.diagnosis.measure.image_pairs import Move

SIDE = 8  # of the grid of brightness that stands for an image
NEIGHBORS = 5
FEWEST = 40  # images to learn from


def is_map(targets: np.ndarray, images: np.ndarray) -> bool:
    """Whether targets `(N, h, w, ...)` have a value for each place of the images."""
    if targets.ndim < 3 or min(targets.shape[1:3]) < 4:
        return False
    height, width = (images.shape[i] / targets.shape[i] for i in (1, 2))
    return height >= 1 and abs(height - width) < 0.1 * height


def are_boxes(targets: np.ndarray) -> bool:
    """Whether rows of four numbers are boxes: two corners, or a middle and a size."""
    if targets.ndim not in (2, 3) or targets.shape[-1] != 4:
        return False
    rows = np.asarray(targets, "float64").reshape(-1, 4)
    rows = rows[np.isfinite(rows).all(1) & (rows > 0).any(1)]  # others fill up
    if len(rows) < 16 or rows.std(0).min() == 0:
        return False
    low, high = rows[:, :2], rows[:, 2:]
    is_mixed = 0.02 < (low[:, 0] < low[:, 1]).mean() < 0.98  # not just sorted numbers
    if is_mixed and (high > low).all() and (low >= 0).all():
        return True
    inside = (low - high / 2 > -0.02) & (low + high / 2 < 1.02) & (high > 0)
    return bool(inside.all() and rows[:, :2].std() > 0.05)


def side_is_lost(values: np.ndarray, grays: np.ndarray, move: Move) -> float:
    """How much better the distance from the middle is known than the side.

    Images some of which were moved, and their targets not, tell how far from the middle
    something is, and no longer on which side. If targets have nothing to do with
    places, both are known equally well, or the side is better known.

    Args:
        values: Array `(N,)`, a column of the targets.
        grays: Array `(N, h, w)`.
        move: Function that moves images.

    Returns:
        Float, the R2 of the absolute values minus that of the values, both centered, as
        the nearest other images give them; an image and the moved one count as the
        same. 0 if there is too little to learn from.
    """
    values = np.asarray(values, "float64")
    if len(values) < FEWEST or not np.isfinite(values).all() or values.std() == 0:
        return 0.0
    grid, moved = _grid(grays), _grid(move(grays))
    distances = np.minimum(_distances(grid, grid), _distances(grid, moved))
    np.fill_diagonal(distances, np.inf)
    near = np.argpartition(distances, NEIGHBORS, axis=1)[:, :NEIGHBORS]
    centered = values - values.mean()
    return _r2(np.abs(centered), near) - _r2(centered, near)


def _grid(grays):
    """Each image as an `(N, 64)` grid of mean brightness."""
    for axis in (1, 2):
        parts = np.array_split(grays, min(SIDE, grays.shape[axis]), axis)
        grays = np.stack([part.mean(axis) for part in parts], axis)
    return grays.reshape(len(grays), -1).astype("float64")


def _distances(one, two):
    sizes = (one**2).sum(1)[:, None] + (two**2).sum(1)
    return sizes - 2 * one @ two.T


def _r2(values, near):
    error = ((values - values[near].mean(1)) ** 2).mean()
    return float(1 - error / max(values.var(), 1e-12))
