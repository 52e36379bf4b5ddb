"""One call of the model on some samples, with what goes into and out of each layer."""

from typing import Any

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.observe.layer_calls import Calls, calls_of
from keras_trainfix.diagnosis.observe.sample import numbers_of, some_of

MOST, FEWEST = 128, 8  # samples
MOST_NUMBERS = 2**20  # of the inputs
SMALL = 2**17  # numbers of all inputs


@instrument("input and output of each layer")
def layer_calls(snapshot: Any) -> Calls | None:
    """The `Calls` of up to 128 samples; None for a model that cannot be called.

    Of small samples JAX gets all, a shape for which it has compiled the model before.
    """
    if not snapshot.layers and not snapshot.model.layers:
        return None
    sample, size = snapshot.sample, numbers_of(snapshot.sample.x)
    is_small = snapshot.samples * size <= SMALL
    if not (is_small and backend.compiles_each_shape()):
        sample = some_of(sample, max(FEWEST, min(MOST, MOST_NUMBERS // size)))
    return calls_of(snapshot.model, sample.x)
