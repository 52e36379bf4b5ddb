"""A short trial: what a few steps do to a model, which is put back afterwards."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_trainfix.diagnosis.budget import Deadline
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.trial.result import NOT_COMPILED, NoTrial, Trial, TrialRun
from keras_trainfix.diagnosis.trial.runner import FACTORS, Runner
from keras_trainfix.diagnosis.trial.user_step import has_own_step

BLIND = 0.02  # standard deviation of predictions, of that of the targets


def try_steps(
    snapshot: Any,
    weights: list | None = None,
    factors: Sequence[float] = FACTORS,
    deadline: Deadline | None = None,
    show_progress: bool = True,
) -> Trial:
    """Makes a few steps at several learning rates, and puts everything back.

    Args:
        snapshot: `Snapshot`.
        weights: List of arrays, as `get_weights` has them, to start from instead of
            the present ones: those of a model before training.
        factors: Factors of the learning rate that is compiled.
        deadline: `Deadline`; by default one that begins now.
        show_progress: Whether to show a bar where it takes more than a moment.

    Returns:
        `Trial`.

    Raises:
        NoTrial: If the model has no optimizer, no trainable weights, a `train_step` of
            its own, or more layers than compile in a while.
    """
    model = snapshot.model
    _check(model)
    with untouched(model):
        if weights is not None:
            model.set_weights(weights)
        is_fresh = weights is not None or not snapshot.iterations
        runner = Runner(snapshot, is_fresh, deadline or Deadline(), show_progress)
        return runner.run(factors)


def is_constant_after(snapshot: Any, trial_run: TrialRun) -> bool:
    """Whether the predictions after a `TrialRun` are the same for all samples."""
    pairs = zip(snapshot.views(), trial_run.predictions, strict=False)
    scores = [other.skill_of(predictions) for other, predictions in pairs]
    ratios = [one.std_ratio for one in scores if one is not None]
    return bool(ratios) and max(ratios) < BLIND


def _check(model: keras.Model) -> None:
    if getattr(model, "optimizer", None) is None:
        raise NoTrial(NOT_COMPILED)
    if not model.trainable_variables:
        raise NoTrial("The learning rate was not judged: no weight is trainable.")
    if has_own_step(model):
        raise NoTrial(
            "The learning rate was not judged: the model has a `train_step` of its own."
        )
