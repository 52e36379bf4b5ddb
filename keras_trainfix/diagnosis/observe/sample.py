"""A few samples of anything that `fit` takes, as NumPy arrays."""

import itertools
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_trainfix.backend import to_numpy
from keras_trainfix.data import inputs, is_arrays, number_of_batches

MOST = 256
MOST_BAD = 4  # samples with NaN or Inf that are added if none is among the others


class Sample(NamedTuple):
    """Samples, each part an array or a list, tuple or dict of arrays, as it came.

    Attributes:
        x: Inputs.
        y: Targets, or None.
        sample_weight: Weights, or None.
        ordered: Whether the samples are a few of all, in their order, and tell how
            the whole is sorted.
    """

    x: Any
    y: Any = None
    sample_weight: Any = None
    ordered: bool = False


def take(x, y=None, sample_weight=None, most=MOST):
    """Up to `most` samples.

    Of arrays they are spread over the whole, so that sorted data do not give one class;
    of batches they are the first.

    Args:
        x: Inputs, arrays or tensors; or batches as `fit` takes them, or `(x, y)` or
            `(x, y, sample_weight)` of arrays.
        y: Targets, if `x` are arrays.
        sample_weight: Weights, if `x` are arrays.
        most: Integer.

    Returns:
        `Sample`.

    Raises:
        ValueError: If there is no sample, or if the parts differ in length.
        TypeError: If `x` is nothing to read samples from.
    """
    if y is None and isinstance(x, tuple) and is_arrays(x, inputs):
        x, y, sample_weight = (*x, None, None)[:3]
    if y is not None or is_arrays(x, inputs):
        return _of_arrays(Sample(x, y, sample_weight), most)
    return _of_batches(x, most)


def numbers_of(x):
    """How many numbers a sample of inputs has, one or more."""
    return max(1, sum(int(np.prod(a.shape[1:])) for a in keras.tree.flatten(x)))


def some_of(sample, most):
    """Up to `most` of some samples, spread over all.

    Args:
        sample: `Sample`.
        most: Integer.

    Returns:
        `Sample`.
    """
    return take(as_inputs(sample.x), sample.y, sample.sample_weight, most)


def as_inputs(x):
    """Inputs as no `(x, y)`: a tuple of them is a list."""
    return list(x) if isinstance(x, tuple) else x


def _of_arrays(sample, most):
    parts = [_arrays(part) for part in sample[:3]]
    given = [part for part in parts if part is not None]
    lengths = {len(leaf) for part in given for leaf in keras.tree.flatten(part)}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            "`x`, `y` and `sample_weight` must have the same number of samples, 1 or "
            f"more. Received: {sorted(lengths)} samples."
        )
    length = lengths.pop()
    # One of each stretch, not evenly: every second one may be of the same class.
    edges = np.linspace(0, length, min(length, most) + 1).astype(int)
    chosen = np.random.default_rng(0).integers(edges[:-1], edges[1:])
    bad = _not_finite(parts[:2], length)
    if len(bad) and not np.isin(bad, chosen).any():
        chosen[np.searchsorted(edges, bad, "right") - 1] = bad

    def some(part):
        if part is None:
            return None
        return keras.tree.map_structure(lambda leaf: leaf[chosen], part)

    return Sample(*map(some, parts), ordered=True)  # type: ignore[misc]


def _not_finite(parts, length):
    """Numbers of a few samples that hold NaN or Inf, of the whole of the data."""
    bad = np.zeros(length, bool)
    for part in parts:
        for leaf in keras.tree.flatten(part) if part is not None else ():
            if leaf.dtype.kind != "f":
                continue
            with np.errstate(invalid="ignore"):
                total = leaf.sum()  # without another array as large; may overflow
            if np.isfinite(total):
                continue
            bad |= ~np.isfinite(leaf.reshape(length, -1)).all(1)
    return np.flatnonzero(bad)[:MOST_BAD]


def _of_batches(data, most):
    if not hasattr(data, "__iter__") and not isinstance(data, keras.utils.PyDataset):
        raise TypeError(
            "`x` must be arrays, or batches as `fit` takes them. Received: "
            f"x of type {type(data).__name__}."
        )
    taken, size = [], 0
    for batch in _batches(data):
        parts = keras.utils.unpack_x_y_sample_weight(batch)
        parts = [_arrays(part) for part in parts]
        taken.append(parts)
        size += len(keras.tree.flatten(parts[0])[0])
        if size >= most:
            break
    if not size:
        raise ValueError("`x` must hold at least one sample. Received: none.")
    return Sample(*(_joined([parts[i] for parts in taken], most) for i in range(3)))


def _batches(data):
    if isinstance(data, keras.utils.PyDataset):
        steps = number_of_batches(data)
        numbers = itertools.count() if steps is None else range(steps)
        return (data[index] for index in numbers)
    is_loader = type(data).__module__.startswith("torch.utils.data")
    return (
        tuple(batch) if is_loader and isinstance(batch, list) else batch
        for batch in data
    )


def _joined(parts, most):
    if parts[0] is None:
        return None
    return keras.tree.map_structure(
        lambda *leaves: np.concatenate(leaves)[:most], *parts
    )


def _arrays(part):
    """The leaves of a part as NumPy arrays."""

    def array(leaf):
        leaf = to_numpy(leaf) if ops.is_tensor(leaf) else np.asarray(leaf)
        # bfloat16 is no number to NumPy.
        return leaf if leaf.dtype.kind in "biufUSO" else leaf.astype("float32")

    if part is None:
        return None
    return keras.tree.map_structure(array, part)
