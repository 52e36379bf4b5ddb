"""Where a training that makes progress turns NaN."""

from typing import NamedTuple

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.data import leaves
from keras_trainfix.diagnosis.experiments.bench import Bench
from keras_trainfix.diagnosis.experiments.instruments.gradients_finite import (
    FiniteGradients,
    gradients_at,
)
from keras_trainfix.diagnosis.experiments.outcome import Outcome
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.observe.sample import Sample
from keras_trainfix.diagnosis.trial.runner import tensors_of

RECENT = 5  # losses whose median must not exceed the first
BLOWN_UP = 10.0  # times the first answers and the targets: the steps are too long


class Breakdown(NamedTuple):
    """The first step of a control whose gradient is not finite.

    Attributes:
        step: Integer, from 1.
        gradients: `FiniteGradients` of its batch, at the weights that it finds.
        sample: `Sample` that the numbers of samples belong to.
    """

    step: int
    gradients: FiniteGradients
    sample: Sample


def breakdown(bench: Bench, control: Outcome) -> Breakdown | None:
    """The `Breakdown` of the control at the user's learning rate, or None.

    A training whose loss rises before it overflows has too long steps, which is another
    fault.

    Args:
        bench: `Bench` that ran the control.
        control: Its `Outcome`.
    """
    losses = control.losses
    if not len(losses) or np.isfinite(losses[-1]):
        return None
    if len(losses) > 1 and np.median(losses[:-1][-RECENT:]) > losses[0]:
        return None
    usual = _size_of_answers(bench.model, bench.training.train, slice(bench.plan.batch))
    for step in (len(losses) - 1, len(losses)):  # the weights break before the loss
        if step < 1:
            continue
        with bench.stopped_before(step) as numbers:
            sample = bench.training.train
            size = _size_of_answers(bench.model, sample, numbers)
            if not size <= BLOWN_UP * max(usual, _size(sample.y)):
                return None
            gradients = gradients_at(bench.model, sample, numbers)
        if not gradients.is_finite:
            return Breakdown(step, gradients, sample)
    return None


def _size_of_answers(model: keras.Model, sample: Sample, numbers) -> float:
    x, *_ = tensors_of(sample, numbers)
    with untouched(model), backend.no_gradient():
        outputs = keras.tree.flatten(model(x, training=False))
    return max(float(np.abs(backend.to_numpy(y)).max()) for y in outputs)


def _size(y) -> float:
    arrays = [np.abs(np.nan_to_num(leaf)) for leaf in leaves(y) if np.size(leaf)]
    return max((float(array.max()) for array in arrays), default=0.0)
