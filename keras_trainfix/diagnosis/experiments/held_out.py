"""What the present weights of a model reach on samples that no step takes."""

from typing import Any

import numpy as np

from keras_trainfix import backend
from keras_trainfix.data import leaves
from keras_trainfix.diagnosis.experiments.outcome import task_skill
from keras_trainfix.diagnosis.experiments.training import Training
from keras_trainfix.diagnosis.measure.loss_skill import skill_by
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged
from keras_trainfix.diagnosis.observe.sample import Sample
from keras_trainfix.diagnosis.snapshot import Snapshot, call_named
from keras_trainfix.diagnosis.trial.runner import tensors_of
from keras_trainfix.diagnosis.trial.user_step import has_own_step
from keras_trainfix.models.batch_norm_layers import batch_norm_layers

ORDERS = 2  # of the targets, for skill by the loss


def skills(training: Training, snapshot: Snapshot) -> tuple[float, float]:
    """How good the answers are, by the task's own measure and by the loss.

    With batch normalization, whose statistics lag behind the weights, the better of
    inference and training counts.

    Args:
        training: `Training`, with its change made.
        snapshot: `Snapshot` of the held-out samples, at whatever weights.

    Returns:
        `(skill, loss_skill)`, up to 1; NaN where answers cannot be judged so.
    """
    known = [skill_in_mode(snapshot, mode) for mode in _modes(training)]
    skill = max(filter(np.isfinite, known), default=float("nan"))
    return skill, _loss_skill(training, snapshot.sample)


def skill_in_mode(snapshot: Snapshot, training: bool) -> float:
    """How good the answers are by the task's own measure; NaN where it has none.

    Args:
        snapshot: `Snapshot` of samples, at whatever weights.
        training: Boolean, whether the model is called as in training.
    """
    model = snapshot.model
    with unchanged(model), backend.no_gradient():
        named = call_named(model, snapshot.sample.x, training)
    return task_skill([view.skill_of(named[view.name]) for view in snapshot.views()])


def held_out_loss(training: Training, sample: Sample) -> float:
    """The loss of the held-out samples; NaN if it is not finite.

    Args:
        training: `Training`, with its change made.
        sample: `Sample`.
    """
    x, y, weights = tensors_of(sample, slice(None))
    model = training.model
    with unchanged(model), backend.no_gradient():
        found = [
            _loss(training, x, y, model(x, training=mode), weights)
            for mode in _modes(training)
        ]
    return min(filter(np.isfinite, found), default=float("nan"))


def _modes(training: Training) -> tuple[bool, ...]:
    """Whether to call the model in training mode: False, and True if it may matter."""
    return (False, True) if batch_norm_layers(training.model) else (False,)


def _loss_skill(training: Training, sample: Sample) -> float:
    if sample.y is None:
        return float("nan")
    x, _, weights = tensors_of(sample, slice(None))
    model = training.model
    with unchanged(model), backend.no_gradient():
        y_pred = model(x, training=False)

        def rate(rows: np.ndarray) -> float | None:
            _, targets, _ = tensors_of(sample, rows)
            loss = _loss(training, x, targets, y_pred, weights)
            return loss if np.isfinite(loss) else None

        found = skill_by(rate, np.arange(len(leaves(sample.x)[0])), ORDERS)
    return float("nan") if found is None else float(np.clip(found.value, -1, 1))


def _loss(training: Training, x: Any, y: Any, y_pred: Any, weights: Any) -> float:
    model = training.model
    if training.loss is not None:
        loss = training.loss(model, x, y, y_pred, weights)
    elif model.loss is None and has_own_step(model):
        return float("nan")
    else:
        loss = model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weights)
    return float(backend.to_numpy(loss))
