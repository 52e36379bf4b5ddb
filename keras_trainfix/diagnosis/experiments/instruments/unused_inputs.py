"""Which inputs does a model leave out, whatever its weights are?"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.answers import (
    FEW,
    Input,
    inputs_of,
    replaced,
    some,
)
from keras_trainfix.diagnosis.experiments.backward import affordable
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged, untouched
from keras_trainfix.diagnosis.observe.variation import varies

TRIES = 3  # with other weights
SPREAD = 0.3  # of these


@instrument("inputs that are not used")
def unused_inputs(snapshot: Any) -> list[Input] | None:
    """The inputs whose samples can change places without any effect.

    Neither an answer, in inference or in training mode, nor a loss that a layer adds
    depends on such an input, at the present weights and at random ones.

    Args:
        snapshot: `Snapshot`.

    Returns:
        List of `Input`; None for a model of one input.
    """
    if len(keras.tree.flatten(snapshot.sample.x)) < 2:
        return None
    model, rows = snapshot.model, affordable(snapshot, FEW)
    x = some(snapshot, rows)
    candidates = {
        one.name: (one, replaced(x, one.key, np.roll(one.values[rows], 1, axis=0)))
        for one in inputs_of(snapshot)
        if varies(one.values[rows])
    }
    with untouched(model), backend.no_gradient():
        for _ in other_weights(model):
            before = effects(model, x)
            candidates = {
                name: (one, other)
                for name, (one, other) in candidates.items()
                if are_equal(before, effects(model, other))
            }
            if not candidates:
                break
    return [one for one, _ in candidates.values()]


def other_weights(model: keras.Model) -> Iterator[None]:
    """Yields at the present weights of a model, and then at random ones."""
    yield
    generator = np.random.default_rng(0)
    for _ in range(TRIES):
        for variable in model.trainable_variables:
            values = SPREAD * generator.normal(size=tuple(variable.shape))
            variable.assign(values.astype("float32"))
        yield


def effects(model: keras.Model, x: Any) -> list[np.ndarray]:
    """All that a call leads to: answers, and the losses that layers add."""
    effects: list[np.ndarray] = []
    for training in (False, True):
        with unchanged(model):  # weights are put back in the end
            outputs = model(x, training=training)
            effects += map(backend.to_numpy, keras.tree.flatten(outputs))
            effects += map(backend.to_numpy, model.losses)
    return effects


def are_equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    """Whether two calls led to the same, to the bit."""
    return len(one) == len(other) and all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True)
    )
