"""Reads samples and batches out of anything that `fit` accepts."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from keras_trainfix.backend import to_numpy

NUMBERS_OR_TEXT = "biufUSO"  # kinds of dtypes that NumPy itself knows


def inputs(batch: Any) -> Any:
    """`x` out of `(x, y)` or `(x, y, sample_weight)`; a list is several inputs."""
    return batch[0] if isinstance(batch, tuple) else batch


def labels(batch: Any) -> Any:
    """`y` out of `(x, y)` or `(x, y, sample_weight)`; anything else is labels."""
    return batch[:2][-1] if isinstance(batch, tuple) else batch


def examples(batch: Any) -> Any:
    """`(x, y)` or `(x, y, sample_weight)` as they are; anything else is inputs."""
    batch = batch if isinstance(batch, tuple) else (batch,)
    return tuple(part for part in batch[:3] if part is not None)


Part = Callable[[Any], Any]


def input_batches(
    data: Any, batch_size: int = 32, steps: int | None = None
) -> Iterator[Any]:
    """Yields the inputs of each batch of `data`, without targets and weights.

    Args:
        data: One array, or a list or dict of arrays with a common first axis for a
            model of several inputs; a tuple `(x, y)` or `(x, y, sample_weight)`; or
            batches as `fit` takes them: a `tf.data.Dataset`, a
            `keras.utils.PyDataset`, a torch `DataLoader`, a generator, an iterable.
            Arrays may be tensors or frames and series of pandas.
        batch_size: Integer, the size of the batches that arrays are cut into.
        steps: Integer, the number of batches after which to stop, or None for all.

    Returns:
        Iterator of arrays, or of lists or dicts of arrays.

    Raises:
        ValueError: If the arrays differ in length, if `batch_size` or `steps` is not
            positive, or if the data are endless and `steps` is None.
        TypeError: If no batches can be read from `data`.
    """
    return _checked_batches(data, batch_size, steps, inputs)


def label_batches(
    data: Any, batch_size: int = 32, steps: int | None = None
) -> Iterator[Any]:
    """Yields the labels of each batch of `data`, which may hold inputs as well.

    Args:
        data: One array of labels, a tuple `(x, y)` or `(x, y, sample_weight)`, or
            batches as for `input_batches`, each a tuple like these or labels alone.
            A list is one of batches.
        batch_size: Integer, the size of the batches that an array is cut into.
        steps: Integer, the number of batches after which to stop, or None for all.

    Returns:
        Iterator of arrays, or of what the batches hold as their labels.

    Raises:
        ValueError: As `input_batches`.
        TypeError: As `input_batches`.
    """
    return _checked_batches(data, batch_size, steps, labels)


def example_batches(
    data: Any, batch_size: int = 32, steps: int | None = None
) -> Iterator[Any]:
    """Yields each batch of `data` whole: inputs, labels and weights.

    Args:
        data: As for `input_batches`.
        batch_size: Integer, the size of the batches that arrays are cut into.
        steps: Integer, the number of batches after which to stop, or None for all.

    Returns:
        Iterator of tuples `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    Raises:
        ValueError: As `input_batches`.
        TypeError: As `input_batches`.
    """
    return _checked_batches(data, batch_size, steps, examples)


def number_of_batches(
    data: Any, batch_size: int = 32, steps: int | None = None, part: Part = inputs
) -> int | None:
    """How many batches of `inputs`, or `labels`, there are at most; None if unknown."""
    if is_arrays(data, part):
        known: int | None = -(-_length(part(data)) // batch_size)
    else:
        known = _declared_length(data)
    limits = [number for number in (known, steps) if number is not None and number >= 0]
    return min(limits, default=None)


def is_arrays(data: Any, part: Part) -> bool:
    """Whether `part` of `data` is one array, or several inputs, and not batches."""
    part = inputs if part is examples else part
    x = part(data)
    if part is inputs and isinstance(x, (list, dict)):
        entries = list(x.values()) if isinstance(x, dict) else x
        return bool(entries) and all(map(is_array, entries))
    return is_array(x)


def is_array(value: Any) -> bool:
    """Whether a value is an array, a tensor, or a frame or series of pandas."""
    return hasattr(value, "shape") and (hasattr(value, "dtype") or _is_frame(value))


def shapes(x: Any) -> Any:
    """The shapes in `x`, in the structure of `x`, for messages."""
    return keras.tree.map_structure(lambda leaf: tuple(np.shape(leaf)), x)


def leaves(structure: Any) -> list:
    """The arrays of a structure, in order, without what is None in it."""
    return [leaf for leaf in keras.tree.flatten(structure) if leaf is not None]


def mapped(function: Callable, structure: Any) -> Any:
    """The structure of what `function` returns for each array; None stays None."""
    return keras.tree.map_structure(
        lambda leaf: None if leaf is None else function(leaf), structure
    )


def as_array(leaf: Any) -> np.ndarray:
    """An array as `fit` reads it, in NumPy.

    Args:
        leaf: NumPy array, tensor of any backend, frame or series of pandas, sparse
            matrix of SciPy, or anything that NumPy can convert.

    Returns:
        NumPy array of numbers, or of text or objects that are not numbers. A series
        is a column, `(N, 1)`; dtypes that NumPy lacks become float32.
    """
    if keras.ops.is_tensor(leaf):
        array = to_numpy(leaf)
    elif hasattr(leaf, "detach"):  # a torch tensor while another backend runs
        array = np.asarray(leaf.detach().cpu())
    elif hasattr(leaf, "toarray"):
        array = leaf.toarray()
    elif _is_frame(leaf):
        array = leaf.to_numpy()
        array = array[:, None] if array.ndim == 1 else array
    else:
        array = np.asarray(leaf)
    if array.dtype.kind == "O":  # columns of several dtypes
        try:
            return array.astype("float32")
        except (TypeError, ValueError):
            return array
    return array if array.dtype.kind in NUMBERS_OR_TEXT else array.astype("float32")


def is_text(array: np.ndarray | None) -> bool:
    """Whether an array holds text or other objects, and no numbers."""
    return array is not None and array.dtype.kind in "OSU"


def batches(data: Any) -> Iterable[Any]:
    """The batches of `data` as they come, each as `fit` would unpack it.

    Args:
        data: A `tf.data.Dataset`, a `keras.utils.PyDataset`, a torch `DataLoader`, a
            generator, or another iterable.

    Raises:
        TypeError: If `data` cannot be iterated over.
    """
    if isinstance(data, keras.utils.PyDataset):
        number = data.num_batches
        indices = itertools.count() if number is None else range(number)
        return (data[index] for index in indices)
    try:
        iterator = iter(data)
    except TypeError as error:
        raise TypeError(
            "`data` must be arrays, a tuple (x, y), a tf.data.Dataset, a "
            "keras.utils.PyDataset, a torch DataLoader, or an iterable of "
            f"batches. Received: data={data!r} of type {type(data)}."
        ) from error
    if type(data).__module__.startswith("torch.utils.data"):
        # A DataLoader gives [x, y] where the others give (x, y).
        return (tuple(batch) if type(batch) is list else batch for batch in iterator)
    return iterator


def _checked_batches(
    data: Any, batch_size: int, steps: int | None, part: Part
) -> Iterator[Any]:
    for name, value in (("batch_size", batch_size), ("steps", steps)):
        if value is not None and value < 1:
            raise ValueError(
                f"`{name}` must be a positive integer. Received: {name}={value}."
            )
    if steps is None and _is_endless(data, part):
        raise ValueError(
            "`data` never ends: pass `steps`, the number of batches to read. "
            f"Received: data={data!r}, steps=None."
        )
    return itertools.islice(_all_batches(data, batch_size, part), steps)


def _all_batches(data: Any, batch_size: int, part: Part) -> Iterator[Any]:
    if not is_arrays(data, part):
        yield from map(part, batches(data))
        return
    x = keras.tree.map_structure(_sliceable, part(data))
    length = _length(x)
    for start in range(0, length, batch_size):
        stop = min(start + batch_size, length)
        yield keras.tree.map_structure(lambda leaf: leaf[start:stop], x)  # noqa: B023 - used at once


def _is_frame(value: Any) -> bool:
    """Whether a value is of pandas, or a library with the same methods."""
    return hasattr(value, "to_numpy") and hasattr(value, "shape")


def _sliceable(leaf: Any) -> Any:
    return leaf.to_numpy() if _is_frame(leaf) else leaf


def _length(x: Any) -> int:
    lengths = {
        int(leaf.shape[0]) if len(leaf.shape) else -1 for leaf in keras.tree.flatten(x)
    }
    if len(lengths) != 1 or -1 in lengths:
        raise ValueError(
            "All inputs must have the same number of samples on their first axis. "
            f"Received: shapes {shapes(x)}."
        )
    return lengths.pop()


def _declared_length(data: Any) -> int | None:
    """Number of batches; -1 if endless; None if the data do not say."""
    if isinstance(data, keras.utils.PyDataset):
        return -1 if data.num_batches is None else data.num_batches
    if hasattr(data, "cardinality"):  # tf.data: -1 endless, -2 unknown
        cardinality = int(data.cardinality())
        return None if cardinality == -2 else cardinality
    try:
        return len(data)
    except TypeError:
        return None


def _is_endless(data: Any, part: Part) -> bool:
    return not is_arrays(data, part) and _declared_length(data) == -1
