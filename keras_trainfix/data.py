"""Reading batches of inputs, or of labels, out of anything that `fit` accepts."""

import itertools

import keras
import numpy as np


def inputs(batch):
    """`x` out of `(x, y)` or `(x, y, sample_weight)`; a list is several inputs."""
    return batch[0] if isinstance(batch, tuple) else batch


def labels(batch):
    """`y` out of `(x, y)` or `(x, y, sample_weight)`; anything else is labels."""
    return batch[:2][-1] if isinstance(batch, tuple) else batch


def input_batches(data, batch_size=32, steps=None):
    """Yields the inputs of each batch of `data`, without targets and weights.

    Args:
        data: One array, or a list or dict of arrays with a common first axis for a
            model of several inputs; a tuple `(x, y)` or `(x, y, sample_weight)`; or
            batches as `fit` takes them: a `tf.data.Dataset`, a
            `keras.utils.PyDataset`, a torch `DataLoader`, a generator, an iterable.
        batch_size: Integer, the size of the batches that arrays are cut into.
        steps: Integer, the number of batches after which to stop, or None for all.

    Returns:
        Iterator of arrays, or of lists or dicts of arrays.

    Raises:
        ValueError: If the arrays differ in length, if `batch_size` or `steps` is not
            positive, or if the data are endless and `steps` is None.
        TypeError: If `data` is nothing to read batches from.
    """
    return _batches(data, batch_size, steps, inputs)


def label_batches(data, batch_size=32, steps=None):
    """Yields the labels of each batch of `data`, which may hold inputs as well.

    Args:
        data: One array of labels, a tuple `(x, y)` or `(x, y, sample_weight)`, or
            batches as for `input_batches`, each a tuple like these or labels alone.
            A list is one of batches.
        batch_size: Integer, the size of the batches that an array is cut into.
        steps: Integer, the number of batches after which to stop, or None for all.

    Returns:
        Iterator of arrays, or of what else the batches hold in their place.

    Raises:
        ValueError: As `input_batches`.
        TypeError: As `input_batches`.
    """
    return _batches(data, batch_size, steps, labels)


def number_of_batches(data, batch_size=32, steps=None, part=inputs):
    """How many batches of `inputs`, or `labels`, there are at most; None if unknown."""
    if is_arrays(data, part):
        known = -(-_length(part(data)) // batch_size)
    else:
        known = _declared_length(data)
    limits = [number for number in (known, steps) if number is not None and number >= 0]
    return min(limits, default=None)


def is_arrays(data, part):
    """Whether `part` of `data` is one array, or several inputs, and not batches."""
    x = part(data)
    if part is inputs and isinstance(x, (list, dict)):
        leaves = list(x.values()) if isinstance(x, dict) else x
        return bool(leaves) and all(map(_is_array, leaves))
    return _is_array(x)


def shapes(x):
    """The shapes in `x`, in the structure of `x`, for messages."""
    return keras.tree.map_structure(lambda leaf: tuple(np.shape(leaf)), x)


def _batches(data, batch_size, steps, part):
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


def _all_batches(data, batch_size, part):
    if is_arrays(data, part):
        x = part(data)
        length = _length(x)
        for start in range(0, length, batch_size):
            stop = min(start + batch_size, length)
            yield keras.tree.map_structure(lambda leaf: leaf[start:stop], x)  # noqa: B023 - used at once
    elif isinstance(data, keras.utils.PyDataset):
        for index in itertools.count():
            if data.num_batches is not None and index >= data.num_batches:
                return
            yield part(data[index])
    else:
        is_loader = type(data).__module__.startswith("torch.utils.data")
        try:
            batches = iter(data)
        except TypeError as error:
            raise TypeError(
                "`data` must be arrays, a tuple (x, y), a tf.data.Dataset, a "
                "keras.utils.PyDataset, a torch DataLoader, or an iterable of "
                f"batches. Received: data={data!r} of type {type(data)}."
            ) from error
        for batch in batches:
            # A torch DataLoader gives [x, y] where the others give (x, y).
            yield part(tuple(batch) if is_loader and type(batch) is list else batch)


def _is_array(value):
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _length(x):
    lengths = {
        leaf.shape[0] if len(leaf.shape) else None for leaf in keras.tree.flatten(x)
    }
    if len(lengths) != 1 or None in lengths:
        raise ValueError(
            "All inputs must have the same number of samples on their first axis. "
            f"Received: shapes {shapes(x)}."
        )
    return lengths.pop()


def _declared_length(data):
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


def _is_endless(data, part):
    return not is_arrays(data, part) and _declared_length(data) == -1
