"""Which layers does the model call without knowing their weights?"""

import math
from typing import Any, NamedTuple

from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.instruments.layer_calls import layer_calls
from keras_trainfix.diagnosis.observe.layer_calls import calls_of
from keras_trainfix.diagnosis.observe.sample import some_of


class UntrackedLayer(NamedTuple):
    """A layer whose weights the answers depend on, and training does not change.

    Attributes:
        name: String.
        kind: String, the name of its class.
        numbers: Integer, how many trainable numbers it has.
        is_new: Whether the model creates it again in each call.
    """

    name: str
    kind: str
    numbers: int
    is_new: bool


@instrument("weights that are used and not tracked")
def untracked_weights(snapshot: Any) -> list[UntrackedLayer] | None:
    """An `UntrackedLayer` for each layer with weights that the model does not know of.

    Frozen layers are left out: what is not to be trained need not be tracked.
    """
    calls = layer_calls(snapshot)
    if calls is None:
        return None
    known = {id(variable) for variable in snapshot.model.variables}
    called = {id(call.layer): call.layer for call in calls.leaves}
    unknown = [
        layer
        for layer in called.values()
        if any(id(weight) not in known for weight in layer.trainable_weights)
    ]
    if not unknown:
        return []
    few = some_of(snapshot.sample, 2)
    again = {id(call.layer) for call in calls_of(snapshot.model, few.x).leaves}
    return [
        UntrackedLayer(
            layer.name, type(layer).__name__, _numbers(layer), id(layer) not in again
        )
        for layer in unknown
    ]


def _numbers(layer):
    return sum(math.prod(tuple(weight.shape)) for weight in layer.trainable_weights)
