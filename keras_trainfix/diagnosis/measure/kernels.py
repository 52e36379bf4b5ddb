"""How similar samples are: a matrix of rows of numbers, ids, images and places."""

from typing import Any, NamedTuple

import keras
import numpy as np

MOST_ROWS = 384  # of images and sequences whose places are rows
SIZES = {3: 64, 4: 16, 5: 8}  # of an axis after pooling, by dimensions of the input
CHANNELS = 64  # of an input; more are mixed into this many
BUCKETS, HASHED = 4096, 64  # of ids: in a bag, and at each place
POSITIONS = 64  # of a sequence of ids, at its ends
NEAR = 2  # places on each side
FAR = 4  # factor of the wider spacing


class Rows(NamedTuple):
    """What the learners use: the same number of rows for every sample.

    Attributes:
        linear: Array `(n, n)`, the similarity of rows by their numbers.
        all: The same, by contrasts and statistics of images and series as well.
        features: Integer.
        targets: Float64 array `(n, columns)`.
        group: Integer, the consecutive rows of one sample.
        counted: Boolean array `(n,)`: not void.
    """

    linear: np.ndarray
    all: np.ndarray
    features: int
    targets: np.ndarray
    group: int
    counted: np.ndarray


def all_finite(array: np.ndarray) -> bool:
    """Whether an array holds only finite numbers; False for text."""
    return array.dtype.kind in "biu" or (
        array.dtype.kind == "f" and bool(np.isfinite(array).all())
    )


def shapes_of_ids(view: Any) -> set[tuple[int, ...]]:
    """The lengths of the sequences of ids that go into an `Embedding`."""
    return {
        output.values.shape[1:-1]
        for output in view.layers
        if isinstance(output.layer, keras.layers.Embedding)
    }


def rows_of_samples(
    inputs: list[np.ndarray], embedded: set, targets: np.ndarray
) -> Rows | None:
    """`Rows` of samples as a whole."""
    linear, more, features = [], [], 0
    for array in inputs:
        is_ids = array.shape[1:] in embedded and (array == np.floor(array)).all()
        if is_ids:
            blocks, others = _of_ids(array), []
        else:
            blocks, others = _of_numbers(array)
        features += sum(block.shape[1] for block in blocks + others)
        linear += [_similarity(block) for block in blocks if block.shape[1]]
        more += [_similarity(block) for block in others if block.shape[1]]
    if not linear:
        return None
    counted = np.ones(len(targets), bool)
    return Rows(_mean(linear), _mean(linear + more), features, targets, 1, counted)


def _of_numbers(array):
    """Features of numbers: those that are linear in them, and others."""
    length = len(array)
    array = array.reshape(length, -1) if array.ndim < 3 else array
    if array.ndim == 2:
        return [_standardized(array, 0.0)], []
    array = array.astype("float32")
    spread = array.std()
    array = (array - array.mean()) / (spread or 1)
    if array.shape[-1] > CHANNELS:
        mix = np.random.default_rng(0).normal(size=(array.shape[-1], CHANNELS))
        array = array @ (mix / np.sqrt(CHANNELS)).astype("float32")
    size = SIZES.get(array.ndim, 8)
    pooled = _pooled(array, size)
    others = [_standardized(_statistics(array), 0.0)]
    if pooled.shape != array.shape:
        energy = _pooled(array**2, size) - pooled**2
        contrast = np.sqrt(np.maximum(energy, 0)).reshape(length, -1)
        others.append(_standardized(contrast, 0.1))
    return [_standardized(pooled.reshape(length, -1), 0.1)], others


def _pooled(array, size):
    """Means over equal parts of all axes but the first and the last."""
    for axis in range(1, array.ndim - 1):
        length = array.shape[axis]
        if length > size:
            array = _averaged(array, axis, np.arange(length) * size // length)
    return array


def _averaged(array, axis, part):
    """Means along an axis over the entries that belong to the same part."""
    mean = (part == np.arange(part[-1] + 1)[:, None]).astype("float32")
    mean /= mean.sum(1, keepdims=True)
    # One product: many small ones are slow on busy cores.
    last = np.moveaxis(array, axis, -1)
    flat = last.reshape(-1, len(part)) @ mean.T
    return np.moveaxis(flat.reshape(*last.shape[:-1], -1), -1, axis)


def _statistics(array):
    """Statistics of each channel of a sample, wherever they arise."""
    axes = tuple(range(1, array.ndim - 1))
    steps = [np.abs(np.diff(array, axis=axis)).mean(axes) for axis in axes]
    parts = [array.mean(axes), array.std(axes), array.min(axes), array.max(axes)]
    return np.concatenate(parts + steps, 1)


def _standardized(features, damping):
    """Features with mean 0 and spread 1; damping keeps small spreads small."""
    features = features.astype("float64")
    features = features - features.mean(0)
    spread = features.std(0)
    largest = np.abs(features).max(0, initial=0)
    varies = np.isfinite(spread) & (spread > 1e-9 * (largest + 1e-30))
    features, spread = features[:, varies], spread[varies]
    damped = np.sqrt(spread**2 + damping**2 * np.mean(spread**2)) if len(spread) else 1
    return np.clip(features / damped, -5, 5).astype("float32")


def _of_ids(ids):
    """Features of ids: how often each occurs, and at which position."""
    length = len(ids)
    ids = ids.reshape(length, -1).astype("int64")
    _, names = np.unique(ids, return_inverse=True)
    names = names.reshape(ids.shape) % BUCKETS
    bag = np.zeros((length, int(names.max()) + 1), "float32")
    np.add.at(bag, (np.arange(length)[:, None], names), 1)
    blocks = [_centered(np.sqrt(bag))]
    ends = names
    if names.shape[1] > POSITIONS:
        half = POSITIONS // 2
        ends = np.concatenate([names[:, :half], names[:, -half:]], 1)
    places = [np.eye(HASHED, dtype="float32")[n % HASHED] for n in ends.T]
    blocks.append(_centered(np.concatenate(places, 1)))
    return blocks


def _centered(features):
    features = features - features.mean(0)
    return features[:, features.any(0)]


def _similarity(features):
    products = (features @ features.T).astype("float64")
    return _normalized(products)


def _normalized(products):
    """Centers; rows have a mean similarity of 1 with themselves."""
    means = products.mean(0)
    products = products - means - means[:, None] + means.mean()
    scale = np.trace(products) / len(products)
    return products / scale if scale > 0 else products


def products_of(similarity: np.ndarray) -> np.ndarray:
    """The similarity of rows by their numbers and all pairwise products of these."""
    return _normalized(similarity**2 + 2 * similarity)


def _mean(similarities):
    return sum(similarities[1:], similarities[0]) / len(similarities)


def rows_of_places(
    view: Any,
    inputs: list[np.ndarray],
    targets: np.ndarray,
    places: np.ndarray,
    shape: tuple[int, ...],
) -> Rows | None:
    """`Rows` of some places, the same ones in each sample, by their surroundings."""
    samples, per_sample = len(view.predictions), int(np.prod(shape))
    fitting = [a for a in inputs if a.shape[1 : len(shape) + 1] == shape]
    if not fitting:
        return None
    number = min(per_sample, max(1, MOST_ROWS // samples))
    chosen = np.random.default_rng(0).choice(per_sample, number, replace=False)
    index = np.unravel_index(np.sort(chosen), shape)
    flat = np.ravel_multi_index(index, shape)
    all_targets = np.zeros((samples * per_sample, targets.shape[1]))
    counted = np.zeros(len(all_targets), bool)
    all_targets[places], counted[places] = targets, True
    rows = (np.arange(samples)[:, None] * per_sample + flat).ravel()
    blocks = [
        _standardized(_around(array, index), 0.1)
        for array in (_with_channels(a, view, len(shape)) for a in fitting)
    ]
    blocks = [block for block in blocks if block.shape[1]]
    if not blocks:
        return None
    similarity = _mean([_similarity(block) for block in blocks])
    features = sum(block.shape[1] for block in blocks)
    return Rows(
        similarity, similarity, features, all_targets[rows], number, counted[rows]
    )


def _with_channels(array, view, dims):
    """The array with channels on its last axis; ids become one-hot, hashed."""
    if array.ndim > dims + 1:
        return array.astype("float32")
    if array.shape[1:] in shapes_of_ids(view):
        return np.eye(HASHED, dtype="float32")[array.astype("int64") % HASHED]
    return array[..., None].astype("float32")


def _around(array, index):
    """The neighbors of places: near ones, and averages of those farther away."""
    dims = len(index)
    array = array[..., :CHANNELS]
    reach = [range(-NEAR, NEAR + 1)] * dims
    offsets = np.stack(np.meshgrid(*reach, indexing="ij"), -1).reshape(-1, dims)
    coarse, scale = array, 1
    if min(array.shape[1 : dims + 1]) >= 4 * FAR:
        scale = FAR
        for axis in range(1, dims + 1):
            part = np.arange(array.shape[axis]) // FAR
            coarse = _averaged(coarse, axis, part)
    parts = [_taken(array, index, offset) for offset in offsets]
    if scale > 1:
        low = tuple(i // scale for i in index)
        parts += [_taken(coarse, low, offset) for offset in offsets]
    return np.concatenate(parts, -1).reshape(len(array) * len(index[0]), -1)


def _taken(array, index, offset):
    """`(samples, places, channels)` at an offset; the edge is repeated beyond it."""
    sizes = array.shape[1 : len(index) + 1]
    moved = [
        np.clip(i + step, 0, size - 1)
        for i, step, size in zip(index, offset, sizes, strict=True)
    ]
    return array[(slice(None), *moved)]
