"""Exact counts of how often each class occurs in labels."""

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.data import is_arrays, label_batches, labels, number_of_batches
from keras_trainfix.labels import ROUNDING, class_ids, read_labels
from keras_trainfix.labels.dtypes import EXACT_UP_TO
from keras_trainfix.messages import Progress

CHUNK = 2**20  # the most entries that are counted at a time
SHOWN_AFTER = 2.0  # seconds after which progress is shown

ONE_ARRAY = (
    "Each batch of `data` must be one array of numbers, the labels, or a tuple (x, y) "
    "with one. With several outputs, count one at a time, for example "
    "`data.map(lambda x, y: (x, y['mask']))`."
)
COINCIDENCE = (
    "Pixels with several classes cannot be counted. If the labels are sparse and only "
    "happen to have num_classes entries on the class axis, add an axis: `y[..., None]`."
)


def count_classes(
    data: Any,
    num_classes: int,
    ignored: tuple[int, ...],
    by_image: bool = False,
    axis: int = -1,
    steps: int | None = None,
    verbose: str | int = "auto",
) -> tuple[np.ndarray, np.ndarray]:
    """Counts the valid pixels of each class, and those of the images that have it.

    Args:
        data: Labels, as for `class_weights_from_labels`.
        num_classes: Integer, 2 or more.
        ignored: Tuple of integers, the ids of void.
        by_image: Whether the second result is needed. Otherwise it has no meaning.
        axis: Integer, the class axis of one-hot labels.
        steps: Integer, the number of batches to read, or None for all.
        verbose: `"auto"`, 1 or 0: whether to show progress.

    Returns:
        Two NumPy int64 arrays of shape `(num_classes,)`.

    Raises:
        ValueError: As `class_weights_from_labels`.
        TypeError: If batches cannot be read from `data`.

    Examples:
        >>> y = np.array([[[0, 0, 1]], [[0, 255, 0]]])
        >>> counts, areas = count_classes(y, 2, ignored=(255,), by_image=True)
        >>> counts.tolist(), areas.tolist()
        ([4, 1], [5, 3])
    """
    if isinstance(data, tuple) and isinstance(labels(data), (list, dict)):
        data = _array(labels(data))
    whole = is_arrays(data, labels)
    if whole and steps is not None:
        raise ValueError(
            "`steps` is a number of batches, but arrays are read as a whole. Received: "
            f"steps={steps} and an array. Pass a part of the array instead."
        )
    size = math.prod(labels(data).shape[1:]) if whole else 1
    batch_size = max(1, 4 * CHUNK // max(1, size))
    target = number_of_batches(data, batch_size, steps, labels)
    after = SHOWN_AFTER if verbose not in (0, "0") else math.inf
    counts, areas = np.zeros((2, num_classes), "int64")
    read, has_images = 0, False
    with Progress(target, "batch", after, "counting labels") as progress:
        for y in label_batches(data, batch_size, steps):
            y, entries = _pixels(_array(y), num_classes, axis)
            rank = y.ndim - len(entries)
            has_images = has_images or rank > 1
            is_batch = by_image and (rank > 2 or (rank == 2 and whole))
            images = len(y) if is_batch else 1
            if y.size:
                parts = y.reshape(images, -1, *entries)
                for table in _tables(parts, num_classes, ignored):
                    counts += table.sum(0)
                    areas += table.sum(1) @ (table > 0)
            read += 1
            progress.update(read)
    return counts, areas if has_images else np.full_like(counts, counts.sum())


def _array(y: Any) -> np.ndarray:
    """The labels of one batch as a NumPy array."""
    several = isinstance(y, (tuple, list)) and any(hasattr(part, "shape") for part in y)
    if several or isinstance(y, dict):
        kind = type(y).__name__
        raise ValueError(f"{ONE_ARRAY} Received: labels={kind} of several arrays.")
    y = backend.to_numpy(y) if ops.is_tensor(y) else np.asarray(y)
    if y.dtype.kind not in "biuf" and y.dtype.name not in EXACT_UP_TO:
        raise ValueError(f"{ONE_ARRAY} Received: labels.dtype={y.dtype}.")
    return y


def _pixels(
    y: np.ndarray, num_classes: int, axis: int
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Sparse labels and `()`, or rows with their classes last and `(num_classes,)`."""
    has_axis = -y.ndim <= axis < y.ndim and axis % y.ndim > 0
    if has_axis and y.shape[axis] == num_classes:
        return np.moveaxis(y, axis, -1), (num_classes,)
    if y.ndim > 1 and y.shape[-1] == 1:
        return y[..., 0], ()
    _check_sparse(y, num_classes, axis)
    return y, ()


def _check_sparse(y: np.ndarray, num_classes: int, axis: int) -> None:
    """Raises if labels that would be read as sparse are one-hot on some axis."""
    if not y.size or not (y.min() >= 0 and y.max() <= 1):
        return
    for found in reversed(range(y.ndim)):
        size = y.shape[found]
        if size < 3 or y.size < 10 * size:  # may be a coincidence
            continue
        if (abs(y.sum(found, dtype="float32") - 1) <= ROUNDING).all():
            raise ValueError(
                "`data` must hold sparse labels, or one-hot labels with num_classes "
                f"entries on `axis`. Received: labels of shape {y.shape}, one-hot on "
                f"axis {found}, with num_classes={num_classes}, axis={axis}. Pass "
                f"num_classes={size} and `np.moveaxis(y, {found}, -1)`; or, if the "
                "labels are sparse, `y[..., None]`."
            )


def _tables(
    y: np.ndarray, num_classes: int, ignored: tuple[int, ...]
) -> Iterator[np.ndarray]:
    """Yields the number of pixels of each class per image, a few images at a time.

    `y` has shape `(images, pixels)` or `(images, pixels, num_classes)`.
    """
    images, size, *entries = y.shape
    chunk = max(1, CHUNK // math.prod(entries))
    together = max(1, chunk // max(size, num_classes))
    for first in range(0, images, together):
        group = y[first : first + together]
        table = np.zeros((len(group), num_classes + 1), "int64")
        starts = np.arange(len(group))[:, None] * (num_classes + 1)
        for start in range(0, size, chunk):
            ids = _classes(group[:, start : start + chunk], num_classes, ignored)
            counts = np.bincount((ids + starts).ravel(), minlength=table.size)
            table += counts.reshape(table.shape)
        yield table[:, :-1]


def _classes(y: np.ndarray, num_classes: int, ignored: tuple[int, ...]) -> np.ndarray:
    """The classes that `read_labels` reads, int64; `num_classes` where void.

    NumPy does this ten times faster. Unusual labels are passed to `read_labels`, which
    decides and raises the errors.
    """
    is_float = y.dtype.kind not in "biu"
    is_rows, is_binary = y.ndim == 3, y.ndim == 2 and is_float and num_classes == 2
    largest = max(1 if is_rows else num_classes - 1, *map(abs, ignored), 0)
    if is_rows or is_binary:
        # Classes first: NumPy is slow along a short last axis.
        rows = np.ascontiguousarray(np.moveaxis(y, -1, 0)) if is_rows else y[None]
        known = ((rows >= 0) & (rows <= 1)).all(0)
        void = _any_of(rows, [i for i in ignored if i not in (0, 1)]).any(0)
        if is_rows:
            known &= abs(rows.sum(0, dtype="float32") - 1) <= ROUNDING
            void |= ~rows.any(0)
        ids = rows.argmax(0) if is_rows else y > 0.5
        void |= known & _any_of(ids, ignored)
    else:
        ids, void = y, _any_of(y, ignored)
        known = (y >= 0) & (y < num_classes)
        if is_float:
            known &= y == np.floor(y)
    is_exact = not is_float or largest <= EXACT_UP_TO.get(y.dtype.name, 0)
    if is_exact and (known | void).all():
        valid = known & ~void
    else:
        shape = (*y.shape[:2], 1 if is_binary else num_classes)
        try:
            read = read_labels(y, shape, ignored, multi_label=None)
        except ValueError as error:
            raise ValueError(f"{error} {COINCIDENCE}" if is_rows else error) from None
        ids, valid = map(backend.to_numpy, (class_ids(read), read.valid))
    ids = np.where(valid, ids, 0).astype("int64")
    ids[~valid] = num_classes
    return ids


def _any_of(values: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    return functools.reduce(
        np.logical_or, [values == index for index in ids], np.zeros(values.shape, bool)
    )
