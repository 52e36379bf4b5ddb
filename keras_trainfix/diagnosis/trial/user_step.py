"""Whether the user's own part of a training step raises on the user's own data."""

from typing import Any, NamedTuple

from keras_trainfix import backend
from keras_trainfix.data import leaves
from keras_trainfix.diagnosis.observe.label_faults import unreadable
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.trial.runner import BATCH, tensors_of
from keras_trainfix.keras_internals import own_compiled_metrics
from keras_trainfix.messages import in_one_line

# A loss may be written for one size of batches, which arrays do not show.
BATCHES = (BATCH, 64, 128, 16, 8, 1)


class Failure(NamedTuple):
    """An exception of the user's code.

    Attributes:
        part: What raises: `"call"`, `"loss"` or `"metrics"`.
        error: String, the class of the exception and its text.
        batch: Integer, how many samples there were.
    """

    part: str
    error: str
    batch: int


def find_failure(snapshot: Any) -> Failure | None:
    """What raises in a training step as `fit` would make it, for any size of batches.

    The call in training mode, the loss and the metrics run once, without gradients and
    compiled as in `fit`; the model stays as it is. A model with a `train_step` of its
    own, one that is not compiled, and data without targets are not tried.

    Args:
        snapshot: `Snapshot`.

    Returns:
        `Failure`, or None.
    """
    model = snapshot.model
    is_compiled = getattr(model, "optimizer", None) is not None
    if not is_compiled or not snapshot.has_targets or has_own_step(model):
        return None
    if any(map(unreadable, snapshot.views())):
        return None
    length = len(leaves(snapshot.sample.x)[0])
    sizes = dict.fromkeys(min(size, length) for size in (*BATCHES, length))
    first = None
    for size in sizes:
        failure = _failure(snapshot, size)
        if failure is None:
            return None
        first = first or failure
    return first


def has_own_step(model: Any) -> bool:
    """Whether `train_step` is the user's."""
    home = type(model).train_step.__module__ or ""  # None of code from `exec`
    return not home.startswith("keras.")


def _failure(snapshot: Any, size: int) -> Failure | None:
    model, part = snapshot.model, "call"
    metrics = None if _has_own_metrics(model) else own_compiled_metrics(model)

    def step(x, y, sample_weight):
        nonlocal part
        part = "call"
        y_pred = model(x, training=True)
        part = "loss"
        model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)
        part = "metrics"
        if metrics is not None:
            metrics.update_state(y, y_pred, sample_weight)

    with untouched(model), backend.no_gradient():
        try:
            batch = tensors_of(snapshot.sample, slice(size))
            backend.run_as_fit(step, batch, model.run_eagerly, model.variables)
        except Exception as error:
            return Failure(part, in_one_line(error), size)
    return None


def _has_own_metrics(model: Any) -> bool:
    return not type(model).compute_metrics.__module__.startswith("keras.")
