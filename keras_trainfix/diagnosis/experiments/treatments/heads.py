"""The treatment of the last activation and the loss: what a fact asks for."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

from keras_trainfix.diagnosis.change import class_name
from keras_trainfix.diagnosis.experiments.in_place import attributes
from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.diagnosis.experiments.treatments.losses import total_of
from keras_trainfix.diagnosis.head_change import HeadChange, head_change, output_of
from keras_trainfix.diagnosis.observe.loss import losses_of
from keras_trainfix.diagnosis.registry import CHECKS

OF_HEADS = frozenset(
    code for code, check in CHECKS.items() if check.repair and check.scope == "output"
)


@treatment("fitting-head", 5, OF_HEADS)
def fitting_head(case: Case) -> Iterator[Variant]:
    """The activation and the loss that the findings about heads ask for."""
    model, names = case.training.model, case.snapshot.names
    losses = losses_of(model, names)
    tasks = [view.task for view in case.snapshot.views()]
    changes: dict[int, HeadChange] = {}
    for finding in case.findings:
        index = output_of(names, finding)
        if finding.code not in OF_HEADS or index in changes:
            continue
        change = head_change(model, losses, tasks, index, finding)
        if isinstance(change, HeadChange):
            changes[index] = change
            losses[index] = change.change.loss or losses[index]
    if not changes:
        return

    def changed(model: keras.Model) -> contextlib.AbstractContextManager:
        return attributes(map(_replaced, _activations(changes)))

    training = case.training.changed(changed)
    if any(one.change.loss is not None for one in changes.values()):
        terms = [
            (view, _loss_object(loss))
            for view, loss in zip(case.snapshot.views(), losses, strict=True)
            if loss is not None
        ]
        training = training.with_loss(total_of(terms))
    words = "; ".join(word for one in changes.values() for word in one.words)
    yield Variant(words, training, f"# {words}", _done_by_the_repair)


def _done_by_the_repair(mended: Mended) -> None:
    """`fixed` makes these changes whether they were tried or not."""


def _activations(changes: dict[int, HeadChange]) -> list[HeadChange]:
    return [one for one in changes.values() if one.change.activation]


def _replaced(one: HeadChange) -> tuple[keras.Layer, str, Any]:
    activation = keras.activations.get(one.change.activation)
    if hasattr(one.layer, "activation"):
        return one.layer, "activation", activation
    return one.layer, "call", lambda x, *args, **kwargs: activation(x)


def _loss_object(loss: Any) -> Callable[..., Any]:
    if isinstance(loss, keras.Loss):
        return loss
    if isinstance(loss, str):
        known = getattr(keras.losses, class_name(loss), None)
        if known is not None:
            return known()
    function = keras.losses.get(loss)
    return lambda y, y_pred, weights: ops.mean(function(y, y_pred))
