"""Does a step of the user's own optimizer lead downhill?"""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.backward import affordable, has_loss
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.instruments.step import (
    cosine,
    displacement,
    downhill,
)
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.trial.runner import tensors_of
from keras_trainfix.diagnosis.trial.user_step import has_own_step
from keras_trainfix.models.optimizers import copy_of, inner_of

SAMPLES = 64
TIMES = 4


class OptimizerStep(NamedTuple):
    """What an optimizer makes of the gradient of one batch.

    Attributes:
        name: String, the class of the optimizer.
        moves: Whether any weight moves in a few steps.
        slope: Float, the cosine of the first step and the downhill direction; NaN
            where one of them is 0.
    """

    name: str
    moves: bool
    slope: float


@instrument("step of the own optimizer")
def optimizer_step(snapshot: Any) -> OptimizerStep | None:
    """The `OptimizerStep` of a `Snapshot`; None for optimizers of Keras.

    Args:
        snapshot: `Snapshot`.
    """
    model = snapshot.model
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or has_own_step(model) or not has_loss(snapshot):
        return None
    kind = type(inner_of(optimizer))
    if kind.__module__.startswith("keras.") or not model.trainable_variables:
        return None
    numbers = affordable(snapshot, SAMPLES)
    direction = downhill(snapshot, numbers)
    batch = tensors_of(snapshot.sample, numbers)
    with untouched(model):
        before = [backend.to_numpy(v) for v in model.trainable_variables]
        own = copy_of(optimizer, model.trainable_variables, with_state=False)
        inner_of(own).gradient_accumulation_steps = None
        step = backend.training_step(model, own, False)
        moved = []
        for _ in range(TIMES):
            step(*batch)
            moved.append(displacement(model, before))
    slope = float("nan") if direction is None else cosine(moved[0], direction)
    return OptimizerStep(kind.__name__, any(map(np.any, moved)), slope)
