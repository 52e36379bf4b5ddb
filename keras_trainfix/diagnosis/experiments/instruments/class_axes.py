"""On which axes do answers sum to one, and on which do their targets?"""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.instruments.layer_calls import layer_calls
from keras_trainfix.diagnosis.observe.targets import FEWEST

ROUNDING = 1e-3  # of a sum
VOID = 255  # a label that stands for no class


class ClassAxes(NamedTuple):
    """The axes on which one output and its targets sum to one.

    Attributes:
        answers: Tuple of integers; 0 is the axis of the samples.
        targets: Tuple of integers; of class ids, the axes that the answers have more.
        shape: Tuple, the shape of the answers.
        layer: Name of the layer with the softmax, or None.
    """

    answers: tuple[int, ...]
    targets: tuple[int, ...]
    shape: tuple[int, ...]
    layer: str | None

    @property
    def differ(self) -> bool:
        """Whether no axis is one of both."""
        return not set(self.answers) & set(self.targets)


@instrument("axes of the classes")
def class_axes(snapshot: Any) -> list[ClassAxes | None] | None:
    """The `ClassAxes` of each output, None for one without; None if all are."""
    found = [_axes(snapshot, view) for view in snapshot.views()]
    return found if any(found) else None


def axes_that_sum_to_one(values: np.ndarray, first: int = 1) -> tuple[int, ...]:
    """The axes of more than one number on which an array sums to one everywhere.

    Args:
        values: Array `(N, ...)`.
        first: Integer, the first axis that counts.

    Examples:
        >>> import numpy as np
        >>> axes_that_sum_to_one(np.full((2, 4, 3), 1 / 3))
        (2,)
        >>> axes_that_sum_to_one(np.full((2, 4, 3), 1.0))
        ()
    """
    if values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        return ()
    if values.min(initial=0) < -ROUNDING:
        return ()
    sums = {
        axis: values.sum(axis, dtype="float64")
        for axis in range(first, values.ndim)
        if values.shape[axis] > 1
    }
    return tuple(a for a, s in sums.items() if np.abs(s - 1).max() < ROUNDING)


def axes_of_ids(ids: np.ndarray, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes that answers have and class ids lack.

    Args:
        ids: Array of class ids; an axis of one number may stand for the classes.
        shape: Tuple, the shape of the answers.

    Returns:
        Tuple of integers; empty where these are no ids of classes of any axis.

    Examples:
        >>> import numpy as np
        >>> axes_of_ids(np.zeros((2, 8, 8), int), (2, 5, 8, 8))
        (1,)
    """
    is_number = ids.dtype.kind in "biuf" and np.isfinite(ids).all()
    if not is_number or np.any(ids != np.round(ids)):
        return ()
    classes = ids[(ids >= 0) & (ids != VOID)]
    largest = classes.max(initial=0)
    without = [
        (axis, shape[:axis] + rest + shape[axis + 1 :])
        for axis in range(1, len(shape))
        for rest in ((), (1,))
    ]
    fits = [axis for axis, one in without if one == ids.shape and shape[axis] > largest]
    return tuple(dict.fromkeys(fits))


def _axes(snapshot, view):
    targets, answers = view.targets, view.predictions
    if targets is None or answers.ndim < 2 or len(answers) < FEWEST:
        return None
    given = axes_that_sum_to_one(answers, first=0)
    if targets.shape == answers.shape:
        expected = axes_that_sum_to_one(targets)
    else:
        expected = axes_of_ids(targets, answers.shape)
    if not given or not expected:
        return None
    return ClassAxes(given, expected, answers.shape, _layer(snapshot, answers, given))


def _layer(snapshot, answers, given):
    """The name of the layer with the last softmax of this shape and axis."""
    calls = layer_calls(snapshot)
    names = [
        call.layers[-1].name
        for call in (calls.softmaxes if calls else [])
        if call.shape[1:] == answers.shape[1:] and call.axis in given
    ]
    return names[-1] if names else None
