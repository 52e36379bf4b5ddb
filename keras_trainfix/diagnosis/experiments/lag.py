"""What moving averages that a short training cannot fill cost in inference."""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.diagnosis.experiments.bench import Bench
from keras_trainfix.diagnosis.experiments.held_out import skill_in_mode
from keras_trainfix.diagnosis.experiments.outcome import Outcome
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import LEARNS
from keras_trainfix.models.averages import momenta, with_averages_after

FORGOTTEN = 0.01  # share of the initial value, at the end of the training


class Lag(NamedTuple):
    """The skill of weights that learned, with statistics that did not.

    Attributes:
        kept: Float, the share of the initial value in the worst moving average when
            `fit` ends.
        in_training: Float, the skill with the statistics of the batch.
        in_inference: Float, the skill with the averages that `fit` leaves behind.
    """

    kept: float
    in_training: float
    in_inference: float


def lag(bench: Bench, snapshot: Any, control: Outcome) -> Lag | None:
    """The `Lag` of a model with batch normalization, or None.

    Args:
        bench: `Bench` that ran the control.
        snapshot: `Snapshot` whose `fit` says how many steps there are.
        control: Its `Outcome` at the user's learning rate.
    """
    steps, model = snapshot.fit.planned_steps, bench.model
    if not steps or snapshot.iterations or not control.value >= LEARNS:
        return None
    kept = max((m**steps for m in momenta(model).values()), default=0.0)
    if kept < FORGOTTEN:
        return None
    held_out = Snapshot(model, *bench.training.held_out[:3])
    with bench.stopped_before(bench.plan.steps):
        in_training = skill_in_mode(held_out, training=True)
        with with_averages_after(model, held_out.sample.x, steps):
            in_inference = skill_in_mode(held_out, training=False)
    if not np.isfinite([in_training, in_inference]).all():
        return None
    return Lag(kept, in_training, in_inference)
