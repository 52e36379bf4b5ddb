"""Which steps, rows or columns of its inputs does a model leave out?"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.answers import (
    FEWEST,
    Input,
    call_quietly,
    inputs_of,
    replaced,
    some,
)
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.instruments.unused_inputs import (
    are_equal,
    effects,
    other_weights,
)
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.observe.variation import varies

PARTS = 12  # of an axis
FAR = 10.0  # standard deviations
MARKED = 2  # samples


class UnusedPlaces(NamedTuple):
    """The places along one axis of an input that lead nowhere.

    Attributes:
        input: `Input`.
        axis: Integer, from 1.
        places: Array of the numbers of the places.
        length: Integer, how many places there are.
    """

    input: Input
    axis: int
    places: np.ndarray
    length: int

    @property
    def share(self) -> float:
        """The share of the places that lead nowhere."""
        return len(self.places) / self.length


@instrument("places of the inputs that are not used")
def unused_places(snapshot: Any) -> list[UnusedPlaces] | None:
    """The steps of sequences, rows of images, and columns of tables without effect.

    NaN in such a place reaches no answer, and neither answers nor losses of layers
    change with other values there, at the present weights and at random ones. NaN finds
    the dependence of a recurrent layer on steps long ago, which rounding hides; other
    values find that of a maximum, which may drop NaN.

    Args:
        snapshot: `Snapshot`.

    Returns:
        List of `UnusedPlaces`, of those axes of which some places lead nowhere; None
        for a model without inputs of real numbers.
    """
    one_by_one = [
        (one, axis)
        for one in inputs_of(snapshot)
        if one.values.dtype.kind == "f" and np.isfinite(one.values).all()
        for axis in range(1, max(2, one.values.ndim - 1))
        if one.values.ndim > 1
    ]
    if not one_by_one:
        return None
    with untouched(snapshot.model):
        found = [_along(snapshot, one, axis) for one, axis in one_by_one]
    return [unused for unused in found if len(unused.places)]


def _along(snapshot: Any, one: Input, axis: int) -> UnusedPlaces:
    length = one.values.shape[axis]
    parts = np.array_split(np.arange(length), min(length, PARTS))
    parts = [part for part in parts if varies(one.values.take(part, axis))]
    marked = some(snapshot, slice(MARKED))
    try:
        spared = [p for p in parts if _spares(snapshot, marked, one, axis, p)]
    except Exception:  # a layer that looks numbers up has none for NaN
        spared = []
    size = FAR * float(one.values.std())
    generator = np.random.default_rng(0)
    shape = (min(FEWEST, len(one.values)), *[1] * (one.values.ndim - 1))
    for before, x in _tries(snapshot) if spared else ():
        others = size * generator.normal(size=shape)
        spared = [
            part
            for part in spared
            if are_equal(
                before, effects(snapshot.model, _with(x, one, axis, part, others))
            )
        ]
    places = np.concatenate(spared) if spared else np.array([], int)
    return UnusedPlaces(one, axis, places, length)


def _spares(snapshot: Any, x: Any, one: Input, axis: int, part: np.ndarray) -> bool:
    """Whether NaN in some places leaves all answers finite."""
    answers = call_quietly(snapshot.model, _with(x, one, axis, part, np.nan))
    return all(np.isfinite(values).all() for values in answers.values())


def _tries(snapshot: Any) -> Iterator[tuple[list[np.ndarray], Any]]:
    """What the samples lead to at several weights, and the samples."""
    x = some(snapshot, slice(FEWEST))
    with backend.no_gradient():
        for _ in other_weights(snapshot.model):
            yield effects(snapshot.model, x), x


def _with(x: Any, one: Input, axis: int, part: np.ndarray, other: Any) -> Any:
    """`x` with other values of an input in some places of an axis."""
    values = np.array(x if one.key is None else x[one.key])
    values[(slice(None),) * axis + (part,)] = other
    return replaced(x, one.key, values)
