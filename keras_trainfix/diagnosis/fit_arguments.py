"""What a user gives to `fit` beside inputs, targets and weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_trainfix.data import as_array, is_array, is_arrays, leaves, mapped

BATCH = 32  # samples in a batch of `fit` by default


@dataclass(frozen=True)
class FitArguments:
    """The arguments of `fit` that a finding may rest on, by the same names.

    Args:
        class_weight: Dict of class ids to weights, or None.
        validation_data: As `fit` takes it, or None.
        validation_split: Float, the share at the end of arrays that is held out.
        epochs: Integer.
        batch_size: Integer, or None.
        steps_per_epoch: Integer, or None.
        initial_epoch: Integer.
        shuffle: Boolean, whether arrays are shuffled.
        in_fit: Samples as `fit` itself got them, `(x, y)` or batches, if those at hand
            came another way; None if they are the same.
        callbacks: Tuple of the callbacks, which are looked at and not called,
            except for a copy of a schedule of learning rates.
        planned_steps: Integer, all steps that `fit` makes; None if that is not known.

    Raises:
        ValueError: If an argument is not what `fit` takes.
    """

    class_weight: Mapping[int, float] | None = None
    validation_data: Any = None
    validation_split: float = 0.0
    epochs: int = 1
    batch_size: int | None = None
    steps_per_epoch: int | None = None
    initial_epoch: int = 0
    shuffle: bool = True
    in_fit: Any = None
    callbacks: tuple[Any, ...] = ()
    planned_steps: int | None = None

    def __post_init__(self) -> None:
        if self.class_weight is not None and not isinstance(self.class_weight, Mapping):
            raise ValueError(
                "`class_weight` must be a dict of class ids to weights. Received: "
                f"class_weight={self.class_weight!r}. Balanced ones are "
                "`dict(enumerate(keras_trainfix.class_weights_from_labels(y, "
                "num_classes)))`."
            )
        if not 0 <= (self.validation_split or 0) < 1:
            raise ValueError(
                "`validation_split` must be at least 0 and less than 1. Received: "
                f"validation_split={self.validation_split!r}."
            )


def planned_steps(
    x: Any,
    epochs: int,
    initial_epoch: int,
    steps_per_epoch: int | None,
    batch_size: int | None,
) -> int | None:
    """The steps that `fit` makes with these arguments; None where they do not say.

    A single epoch is what `diagnose` is called with by default, and says nothing.

    Args:
        x: Inputs, or batches.
        epochs: As for `fit`, like the others.
        initial_epoch: Integer.
        steps_per_epoch: Integer, or None.
        batch_size: Integer, or None.

    Examples:
        >>> planned_steps(np.zeros((100, 3)), 10, 0, None, None)
        40
    """
    if epochs == 1:
        return None
    if steps_per_epoch is None:
        parts = leaves(x)
        if not parts or not all(map(is_array, parts)):
            return None
        steps_per_epoch = -(-len(parts[0]) // (batch_size or BATCH))
    return max(0, epochs - initial_epoch) * steps_per_epoch


def listed(callbacks: Any) -> tuple[Any, ...]:
    """Callbacks as `fit` takes them, one by one.

    Args:
        callbacks: A callback, a list of them, a `CallbackList`, or None.
    """
    given = getattr(callbacks, "callbacks", callbacks)
    if given is None:
        return ()
    return tuple(given) if isinstance(given, (list, tuple)) else (given,)


def split(x: Any, y: Any, sample_weight: Any, share: float) -> tuple[tuple, Any]:
    """Cuts the validation data off, as `fit` does: the end of the arrays.

    Args:
        x: Inputs.
        y: Targets, or None.
        sample_weight: Weights, or None.
        share: Float, `validation_split`.

    Returns:
        `((x, y, sample_weight), validation_data)`; `validation_data` is None where
        nothing is cut off.

    Raises:
        ValueError: If `x` are batches, which cannot be cut.
    """
    parts = (x, y, sample_weight)
    if not share:
        return parts, None
    if not is_arrays(x, lambda data: data) and not all(map(is_array, leaves(x))):
        raise ValueError(
            "`validation_split` takes arrays. Pass `validation_data` with batches. "
            f"Received: x of type {type(x).__name__}."
        )
    length = len(as_array(leaves(x)[0]))
    cut = int(np.floor(length * (1 - share)))
    if cut == 0 or cut == length:
        raise ValueError(
            f"`validation_split` must leave samples on both sides. Received: "
            f"validation_split={share!r} of {length} samples."
        )
    first, rest = (
        tuple(
            None if p is None else mapped(lambda leaf: as_array(leaf)[side], p)  # noqa: B023 - used at once
            for p in parts
        )
        for side in (slice(cut), slice(cut, None))
    )
    return first, rest


def weighted_by_class(
    y: Any, sample_weight: Any, class_weight: Mapping[int, float] | None
) -> Any:
    """The sample weights that `fit` makes of class weights.

    Args:
        y: Targets of a single output, class ids or one-hot rows; else nothing is done.
        sample_weight: Weights, or None.
        class_weight: Dict of class ids to weights, or None.

    Returns:
        Array of a weight for each label, or `sample_weight` as it is.
    """
    if class_weight is None or y is None or len(leaves(y)) != 1:
        return sample_weight
    if sample_weight is not None and len(leaves(sample_weight)) != 1:
        return sample_weight
    labels = np.asarray(leaves(y)[0])
    if labels.dtype.kind not in "biuf":
        return sample_weight
    labels = class_ids(labels)
    weights = np.ones(labels.shape, "float32")
    for class_id, weight in class_weight.items():
        weights[labels == int(class_id)] = weight
    if sample_weight is None:
        return weights
    given = np.asarray(leaves(sample_weight)[0], "float32")
    given = given.reshape(given.shape + (1,) * (weights.ndim - given.ndim))
    return given * weights if given.ndim == weights.ndim else sample_weight


def class_ids(labels: np.ndarray) -> np.ndarray:
    """The class of each label, as `fit` reads it for class weights.

    Args:
        labels: Array of numbers: class ids, or rows whose largest entry is the class.

    Returns:
        Array of integers, without the axis of the rows.

    Examples:
        >>> class_ids(np.eye(3)[[0, 2]]), class_ids(np.array([[0.0], [2.0]]))
        (array([0, 2]), array([0, 2]))
    """
    if labels.ndim > 1:
        labels = labels[..., 0] if labels.shape[-1] == 1 else labels.argmax(-1)
    return np.round(labels).astype("int64")
