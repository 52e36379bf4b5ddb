"""Treatments of several losses: each with the same say."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_trainfix.diagnosis.experiments.instruments.loss_terms import (
    UNEQUAL,
    Term,
    loss_terms,
)
from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.keras_internals import compile_arguments


@treatment("outputs-balanced", 14, ("KTF415",))
def outputs_balanced(case: Case) -> Iterator[Variant]:
    """The loss of each output with the same gradient in the layers that they share."""
    terms = [t for t in loss_terms(case.snapshot) or () if t.kind == "output"]
    pulls = _shared(terms)
    if min(pulls.values(), default=0.0) <= 0:
        return
    least = min(pulls.values())
    if max(pulls.values()) < UNEQUAL * least:
        return
    factors = {name: float(f"{least / pull:.1g}") for name, pull in pulls.items()}
    names = case.snapshot.names

    def loss(model: keras.Model, x: Any, y: Any, y_pred: Any, weights: Any) -> Any:
        flat = keras.tree.flatten(y_pred)
        scaled = [
            _with_gradient(p, factors.get(name, 1.0))
            for name, p in zip(names, flat, strict=True)
        ]
        answers = keras.tree.pack_sequence_as(y_pred, scaled)
        return model.compute_loss(x=x, y=y, y_pred=answers, sample_weight=weights)

    shown = ", ".join(f"{name!r} x {factor:g}" for name, factor in factors.items())
    total = _loss_weights(case.training.model, names, factors)
    yield Variant(
        f"the losses of the outputs balanced by gradient: {shown}",
        case.training.with_loss(loss),
        f"model.compile(model.optimizer, model.loss, loss_weights={total})",
        lambda mended: _take(mended, total),
    )


def _shared(terms: list[Term]) -> dict[str, float]:
    """The pull of each term at the layers that all of them reach."""
    reached = [{name for name, pull in t.pulls.items() if pull > 0} for t in terms]
    shared = set.intersection(*reached) if len(terms) > 1 else set()
    return {
        term.owner: float(np.linalg.norm([term.pulls[name] for name in shared]))
        for term in terms
    }


def _with_gradient(tensor: Any, factor: float) -> Any:
    """The same numbers with a gradient times a factor of at most 1."""
    return factor * tensor + (1 - factor) * ops.stop_gradient(tensor)


def _loss_weights(
    model: keras.Model, names: list[str], factors: dict[str, float]
) -> Any:
    """The `loss_weights` of `compile`, in the form of its `loss`."""
    given = compile_arguments(model).get("loss_weights")
    if isinstance(given, dict):
        before = [given.get(name, 1.0) for name in names]
    else:
        before = list(given) if given else [1.0] * len(names)
    total = [
        float(f"{weight * factors.get(name, 1.0):.4g}")
        for name, weight in zip(names, before, strict=True)
    ]
    is_by_name = isinstance(model.loss, dict)
    return dict(zip(names, total, strict=True)) if is_by_name else total


def _take(mended: Mended, weights: Any) -> None:
    mended.loss_weights = weights
