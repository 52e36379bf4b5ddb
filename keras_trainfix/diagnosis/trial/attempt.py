"""Tries a few steps where that is possible, and says why where it is not."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.budget import Deadline
from keras_trainfix.diagnosis.observe.label_faults import unreadable
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged
from keras_trainfix.diagnosis.observe.layers import worst_dead_share
from keras_trainfix.diagnosis.observe.loss import losses_of
from keras_trainfix.diagnosis.observe.variation import inputs_vary, is_finite, varies
from keras_trainfix.diagnosis.trial.result import NoTrial
from keras_trainfix.diagnosis.trial.runner import FACTORS, FEWEST_RUNS
from keras_trainfix.diagnosis.trial.trial import try_steps
from keras_trainfix.messages import count, in_one_line
from keras_trainfix.models.batch_norm_layers import batch_norm_layers
from keras_trainfix.models.clone import cloned

NOT_JUDGED = "The learning rate was not judged"


def attempt(
    snapshot: Any,
    weights: list | None = None,
    factors: Sequence[float] = FACTORS,
    deadline: Deadline | None = None,
    show_progress: bool = True,
) -> str | None:
    """Makes the trial of a snapshot and keeps it there.

    Args:
        snapshot: `Snapshot`; its `trial` and `may_step` are set.
        weights: List of arrays to start from, or None for the present ones.
        factors: Factors of the compiled learning rate.
        deadline: `Deadline`; by default one that begins now.
        show_progress: Whether to show a bar if it takes more than a moment.

    Returns:
        A sentence that says why the trial could not be made, or not in full; or None.
    """
    snapshot.may_step = True
    if not snapshot.has_targets and needs_targets(snapshot):
        return f"{NOT_JUDGED}: that takes targets."
    if reasons := [r for r in map(unreadable, snapshot.views()) if r]:
        return f"{NOT_JUDGED}: {reasons[0]}."
    if snapshot.step_failure is not None:
        return f"{NOT_JUDGED}: a training step raises."
    try:
        snapshot.trial = try_steps(snapshot, weights, factors, deadline, show_progress)
    except NoTrial as error:
        return str(error)
    except Exception as error:  # code of the user, or of the backend
        return f"{NOT_JUDGED}: the trial failed ({in_one_line(error)})."
    runs = len(snapshot.trial.runs)
    if runs < min(FEWEST_RUNS, len(factors)):
        done = count(runs, "rate")
        return f"The learning rate was judged in part: there was time for {done}."
    return None


def needs_targets(snapshot: Any) -> bool:
    """Whether the model has a compiled loss, which compares outputs with targets."""
    losses = losses_of(snapshot.model, snapshot.names)
    return any(loss is not None for loss in losses)


def has_ended(snapshot: Any) -> bool:
    """Whether training has left a model that further steps cannot improve.

    Its units are dead, its values not finite, or its predictions constant or surely
    wrong.
    """
    if not snapshot.iterations or not inputs_vary(snapshot):
        return False
    skills = [view.skill for view in snapshot.views() if view.skill is not None]
    if any(skill.is_lost for skill in skills) or worst_dead_share(snapshot.layers) == 1:
        return True
    return not any(
        is_finite(prediction) and varies(prediction)
        for prediction in snapshot.predictions
    )


def new_weights(model: keras.Model) -> list | None:
    """Newly initialized weights for a model, or None if it cannot be cloned.

    Statistics that were adapted and layers that are frozen stay as they are: they are
    not drawn when training begins.
    """
    with unchanged(model):
        try:
            drawn = cloned(model).weights
        except Exception:  # a subclassed model, or a layer without a configuration
            return None
    moving = {id(w) for layer in batch_norm_layers(model) for w in layer.weights}
    return [
        to_numpy(new if old.trainable or id(old) in moving else old)
        for old, new in zip(model.weights, drawn, strict=True)
    ]
