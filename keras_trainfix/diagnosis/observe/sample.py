"""A few samples of anything that `fit` takes, as NumPy arrays."""

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.data import (
    as_array,
    batches,
    inputs,
    is_array,
    is_arrays,
    leaves,
    mapped,
)
from keras_trainfix.messages import count

MOST = 256
MOST_BAD = 4  # samples with NaN or Inf that are added if none is among the others


class Sample(NamedTuple):
    """Samples, each part an array or a list, tuple or dict of arrays, as it came.

    Attributes:
        x: Inputs.
        y: Targets, or None.
        sample_weight: Weights, or None.
        ordered: Whether the samples are spread over the whole of the data, in its
            order, so that they show how the data are sorted.
    """

    x: Any
    y: Any = None
    sample_weight: Any = None
    ordered: bool = False


class BatchLimits(NamedTuple):
    """Where the reading of batches ends, whatever is asked for.

    Attributes:
        batches: Integer, how many batches; None for any number.
        numbers: Float, how many entries of the inputs.
        fewest: Integer, how many batches to read although there are enough samples.
    """

    batches: int | None = None
    numbers: float = float("inf")
    fewest: int = 1


UNLIMITED = BatchLimits()


def take(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    most: int = MOST,
    model: keras.Model | None = None,
) -> Sample:
    """Up to `most` samples.

    Samples of arrays are spread over the whole, so that sorted data do not give one
    class; those of batches are the first.

    Args:
        x: Inputs: arrays, tensors, frames or series of pandas, or a list, tuple or
            dict of them; or `(x, y)` or `(x, y, sample_weight)` of these; or batches as
            `fit` takes them.
        y: Targets, if `x` are arrays.
        sample_weight: Weights, if `x` are arrays.
        most: Integer.
        model: The `keras.Model` that the samples are for, or None. The number of its
            inputs decides whether several arrays are inputs, or inputs and targets.

    Returns:
        `Sample`.

    Raises:
        ValueError: If there is no sample, if the parts differ in length, or if there
            are more arrays than the model has inputs.
        TypeError: If no samples can be read from `x`.
    """
    number = number_of_inputs(model)
    data = as_given(x, y, sample_weight, number)
    if is_batches(data):
        return checked(_of_batches(data.x, most, number), number)
    return checked(_of_arrays(data, most), number)


def as_given(
    x: Any, y: Any = None, sample_weight: Any = None, number: int | None = None
) -> Sample:
    """Inputs, targets and weights as the user gave them, told apart but not read.

    Args:
        x: As for `take`.
        y: Targets, or None.
        sample_weight: Weights, or None.
        number: Integer, how many inputs the model has, or None.

    Returns:
        `Sample` whose `x` are arrays, or batches: see `is_batches`.

    Raises:
        ValueError: If a part is a list of numbers, or `y` was given beside batches.
    """
    for name, part in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        _refuse_plain_lists(name, part)
    if y is None and sample_weight is None:
        x, y, sample_weight = _split(x, number)
    data = Sample(x, y, sample_weight)
    if not is_batches(data):
        _refuse_batches(x)
    return data


def is_batches(data: Sample) -> bool:
    """Whether the `x` of `as_given` are batches, with their own targets."""
    return data.y is None and not is_arrays(data.x, inputs) and not _is_inputs(data.x)


def checked(sample: Sample, number: int | None) -> Sample:
    """A `Sample`, if it has as many inputs as the model.

    Args:
        sample: `Sample`.
        number: Integer, how many inputs the model has, or None.

    Raises:
        ValueError: If the model takes another number of inputs.
    """
    _check_number(sample.x, number)
    # A tuple would be taken for `(x, y)` elsewhere.
    return sample._replace(x=list(sample.x)) if type(sample.x) is tuple else sample


def numbers_of(x: Any) -> int:
    """How many numbers a sample of inputs has, one or more."""
    return max(1, sum(int(np.prod(leaf.shape[1:])) for leaf in leaves(x)))


def some_of(sample: Sample, most: int) -> Sample:
    """Up to `most` of some samples, spread over all.

    Args:
        sample: `Sample`.
        most: Integer.

    Returns:
        `Sample`.
    """
    return _of_arrays(sample, most)


def number_of_inputs(model: keras.Model | None) -> int | None:
    """How many arrays a model takes; None if it does not say."""
    try:
        symbolic = getattr(model, "inputs", None)
    except Exception:  # a property of the user, before it is built
        return None
    return len(leaves(symbolic)) if symbolic else None


def _split(data: Any, number: int | None) -> tuple:
    """`(x, y, sample_weight)` of arrays, for so many inputs; batches stay as `x`."""
    if type(data) not in (tuple, list) or not data:
        return data, None, None
    is_flat = all(map(is_array, data))
    if isinstance(data, list):
        is_pair = is_flat and number == 1 and 1 < len(data) <= 3
        return (*data, None)[:3] if is_pair else (data, None, None)
    if is_flat and number == len(data) > 1:
        return list(data), None, None
    if not is_arrays(data, inputs) and not _begins_with_inputs(data, number):
        return data, None, None
    if len(data) > 3:
        raise ValueError(
            "A tuple must be (x, y) or (x, y, sample_weight); pass several inputs as a "
            f"list. Received: a tuple of {len(data)}."
        )
    return (*data, None, None)[:3]


def _begins_with_inputs(data: tuple, number: int | None) -> bool:
    """Whether this is `((x1, x2, ...), y)`, and not batches `(x, y)`."""
    if not _is_inputs(data[0]) or len(data) < 2:
        return False
    return number == len(data[0]) > 1 or not _is_inputs(data[1])


def _is_inputs(x: Any) -> bool:
    """Whether this is a tuple of arrays."""
    return type(x) is tuple and bool(x) and all(map(is_array, x))


def _refuse_plain_lists(name: str, part: Any) -> None:
    if not isinstance(part, (list, tuple, dict)):
        return
    plain = [leaf for leaf in leaves(part) if isinstance(leaf, (int, float, str))]
    if plain:
        what = "text" if isinstance(plain[0], str) else "numbers"
        raise ValueError(
            f"`{name}` must hold arrays, with a sample in each row. Received: a "
            f"list of {what}. Pass `np.array({name})`."
        )


def _refuse_batches(x: Any) -> None:
    for leaf in leaves(x):
        if hasattr(leaf, "__array__") or is_array(leaf):
            continue
        if hasattr(leaf, "__iter__") or isinstance(leaf, keras.utils.PyDataset):
            raise ValueError(
                "`y` must be None if `x` are batches, which hold their own targets. "
                f"Received: x of type {type(leaf).__name__}."
            )
        raise TypeError(
            "`x` must be arrays, or batches as `fit` takes them. Received: "
            f"x of type {type(leaf).__name__}."
        )


def _check_number(x: Any, number: int | None) -> None:
    if number is None or not isinstance(x, (list, tuple)):
        return
    if len(leaves(x)) != number:
        raise ValueError(
            f"The model takes {count(number, 'input')}. Received: x of "
            f"{len(leaves(x))} arrays with the shapes {_some_shapes(x)}. Pass targets "
            "as `y`; a list of samples must be one array: `np.array(x)`."
        )


def _some_shapes(x: Any, most: int = 6) -> str:
    """The first shapes in a structure, and how many more there are."""
    arrays = leaves(x)
    text = ", ".join(str(tuple(np.shape(leaf))) for leaf in arrays[:most])
    return text + (f" and {len(arrays) - most} more" if len(arrays) > most else "")


def _of_arrays(sample: Sample, most: int) -> Sample:
    parts = [None if part is None else mapped(as_array, part) for part in sample[:3]]
    lengths = {len(leaf) if leaf.ndim else 0 for leaf in leaves(parts)}
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
    x, y, sample_weight = (
        None if part is None else mapped(lambda leaf: leaf[chosen], part)
        for part in parts
    )
    return Sample(x, y, sample_weight, ordered=True)


def _not_finite(parts: list, length: int) -> np.ndarray:
    """Numbers of a few samples that hold NaN or Inf, of the whole of the data."""
    bad = np.zeros(length, bool)
    for leaf in leaves(parts):
        if leaf.dtype.kind != "f":
            continue
        with np.errstate(invalid="ignore"):
            total = leaf.sum()  # without another array as large; may overflow
        if not np.isfinite(total):
            bad |= ~np.isfinite(leaf.reshape(length, -1)).all(1)
    return np.flatnonzero(bad)[:MOST_BAD]


def _of_batches(data: Any, most: int, number: int | None) -> Sample:
    if not hasattr(data, "__iter__") and not isinstance(data, keras.utils.PyDataset):
        raise TypeError(
            "`x` must be arrays, or batches as `fit` takes them. Received: "
            f"x of type {type(data).__name__}."
        )
    return joined(first_batches(batches(data), number, most), most)


def first_batches(
    source: Iterable[Any],
    number: int | None,
    most: int,
    limits: BatchLimits = UNLIMITED,
) -> list[Sample]:
    """The first batches of a source, each as arrays.

    Args:
        source: Batches as `fit` would unpack them.
        number: Integer, how many inputs the model has, or None.
        most: Integer, how many samples to read at least, if there are so many.
        limits: `BatchLimits`.

    Returns:
        List of `Sample`.

    Raises:
        ValueError: If an entry is no batch.
    """
    read: list[Sample] = []
    samples = numbers = 0
    for batch in itertools.islice(source, limits.batches):
        sample = Sample(*_parts_of_batch(batch, number))
        read.append(sample)
        samples += _length(sample)
        numbers += sum(leaf.size for leaf in leaves(sample.x))
        is_enough = samples >= most and len(read) >= limits.fewest
        if is_enough or numbers >= limits.numbers:
            break
    return read


def joined(read: list[Sample], most: int) -> Sample:
    """Batches as one `Sample` of up to `most` samples.

    Batches may be padded differently: those of the commonest shape count.

    Args:
        read: List of `Sample`.
        most: Integer.

    Raises:
        ValueError: If there is no sample.
    """
    if not sum(map(_length, read)):
        raise ValueError("`x` must hold at least one sample. Received: none.")
    alike: dict[str, list[Sample]] = {}
    for sample in read:
        key = str([leaf.shape[1:] for leaf in leaves(sample[:3])])
        alike.setdefault(key, []).append(sample)
    commonest = max(alike.values(), key=lambda some: sum(map(_length, some)))
    parts = zip(*(sample[:3] for sample in commonest), strict=True)
    return Sample(*(_joined(list(part), most) for part in parts))


def _length(sample: Sample) -> int:
    return len(leaves(sample.x)[0])


def _parts_of_batch(batch: Any, number: int | None) -> list:
    """`[x, y, sample_weight]` of a batch, as arrays."""
    batch = tuple(batch) if isinstance(batch, list) else batch  # as `fit` does
    if _is_inputs(batch) and number == len(batch) > 1:
        batch = (list(batch),)
    if isinstance(batch, tuple) and len(batch) > 3:
        raise ValueError(
            "A batch must be (x,), (x, y) or (x, y, sample_weight); pass several "
            "inputs as a tuple in it, ((x1, x2), y). Received: a tuple of "
            f"{len(batch)}."
        )
    parts = [
        None if part is None else mapped(as_array, part)
        for part in keras.utils.unpack_x_y_sample_weight(batch)
    ]
    arrays = leaves(parts)
    lengths = {len(leaf) if leaf.ndim else None for leaf in arrays}
    if None in lengths or len(lengths) > 1:
        raise ValueError(
            "Data must be batched, with all samples of a batch on the first axis: call "
            "`.batch(32)` on a `tf.data.Dataset`. If only the model's own `train_step` "
            "can read the batches, pass samples that the model can be called on. "
            f"Received: an entry with the shapes {_some_shapes(arrays)}."
        )
    return parts


def _joined(parts: list, most: int) -> Any:
    if parts[0] is None:
        return None
    return keras.tree.map_structure(
        lambda *same: None if same[0] is None else np.concatenate(same)[:most], *parts
    )
