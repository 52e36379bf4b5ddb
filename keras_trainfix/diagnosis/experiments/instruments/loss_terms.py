"""How much each term of the loss pulls at each part of the model."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.diagnosis.experiments.backward import (
    affordable,
    gradients_of,
    has_loss,
    has_own_loss,
)
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.observe.layer_outputs import leaf_layers, untouched
from keras_trainfix.diagnosis.trial.attempt import new_weights
from keras_trainfix.diagnosis.trial.runner import tensors_of
from keras_trainfix.diagnosis.trial.user_step import has_own_step
from keras_trainfix.keras_internals import (
    AddedLosses,
    losses_in_call,
    restore_added_losses,
)
from keras_trainfix.models.batch_norm_layers import all_layers

SAMPLES = 64
MOST_TERMS = 8
UNEQUAL = 5.0  # times the gradient of the weaker term, from which a balance may help


class Term(NamedTuple):
    """One summand of the loss.

    Attributes:
        kind: `"loss"`: the compiled loss, `"output"`: that of one of several outputs,
            `"added"`: what a layer added by `add_loss`, `"activity"`: the regularizer
            of the outputs of a layer, `"penalty"`: those of the weights.
        owner: String, the name of the output or layer; empty for a term of all.
        number: Integer, which of the terms of this owner it is, from 1.
        value: Float; NaN for one of several outputs.
        pulls: Dict of the name of each layer to the size of the gradient of its
            weights.
    """

    kind: str
    owner: str
    number: int
    value: float
    pulls: dict[str, float]

    @property
    def is_data(self) -> bool:
        """Whether it compares answers with targets."""
        return self.kind in ("loss", "output")

    @property
    def name(self) -> str:
        """What it is, for a sentence."""
        which = f"loss {self.number}" if self.number > 1 else "the loss"
        return {
            "loss": "the compiled loss",
            "output": f"the loss of output '{self.owner}'",
            "added": f"{which} that '{self.owner}' adds by `add_loss`",
            "activity": f"the activity regularizer of '{self.owner}'",
            "penalty": "the penalties of the weights",
        }[self.kind]


class Drowned(NamedTuple):
    """A term that has hardly a say where another pulls as well.

    Attributes:
        strong: The `Term` that drowns it.
        weak: The `Term` that is drowned.
        ratio: Float, how many times larger the gradient of the strong one is, over all
            layers that both reach.
        layers: List of the names of these layers, the most unequal first.
    """

    strong: Term
    weak: Term
    ratio: float
    layers: list[str]

    @property
    def is_partial(self) -> bool:
        """Whether the strong term reaches some of the layers of the weak one only.

        A term without targets that reaches all of them may be the task itself.
        """
        return len(self.layers) < len([p for p in self.weak.pulls.values() if p])


@instrument("share of each loss term")
def loss_terms(snapshot: Any) -> list[Term] | None:
    """The `Term`s of the loss of a `Snapshot`, at weights that no step has changed.

    After a collapse the term that caused it is nearly 0, and at the end of a sound
    training all terms are in balance, so that only initial weights tell. None where
    there is one term, or a trained model cannot be cloned for new ones.
    """
    model = snapshot.model
    if not has_loss(snapshot) or has_own_step(model):
        return None
    weights = new_weights(model) if snapshot.iterations else model.get_weights()
    if weights is None:
        return None
    batch = tensors_of(snapshot.sample, affordable(snapshot, SAMPLES))
    variables = model.trainable_variables
    owners = {id(v): part.name for part in leaf_layers(model) for v in part.variables}

    def passed(chosen):
        seen: list = []

        def term():
            seen[:] = _terms(model, batch, snapshot)
            return seen[chosen][2]()

        with untouched(model):
            model.set_weights(weights)
            value, gradients = gradients_of(model, term, variables)
        pulls: dict[str, float] = {}
        for variable, gradient in zip(variables, gradients, strict=True):
            if gradient is not None:
                name = owners.get(id(variable), variable.path)
                size = np.linalg.norm(gradient.astype("float64"))
                pulls[name] = float(np.hypot(pulls.get(name, 0.0), size))
        kinds = [(kind, owner) for kind, owner, _ in seen]
        return kinds, value, pulls

    kinds, *first = passed(0)
    if not 1 < len(kinds) <= MOST_TERMS:
        return None
    rest = [passed(number)[1:] for number in range(1, len(kinds))]
    return [
        Term(
            kind[0],
            kind[1],
            kinds[: number + 1].count(kind),
            np.nan if kind[0] == "output" else value,
            pulls,
        )
        for number, (kind, (value, pulls)) in enumerate(
            zip(kinds, [first, *rest], strict=True)
        )
    ]


def drowned(terms: list[Term]) -> list[Drowned]:
    """All pairs of terms that pull at the same layers, the most unequal first.

    Args:
        terms: List of `Term`.

    Returns:
        List of `Drowned`, with ratios of 1 or more.
    """
    pairs = []
    for strong in terms:
        for weak in terms:
            shared = [
                name
                for name, pull in strong.pulls.items()
                if min(pull, weak.pulls.get(name, 0.0)) > 0
            ]
            if strong is weak or not shared:
                continue
            sizes = [
                np.linalg.norm([term.pulls[name] for name in shared])
                for term in (strong, weak)
            ]
            ratio = float(sizes[0] / sizes[1])
            if ratio >= 1 and np.isfinite(ratio):
                shared.sort(key=lambda n: -strong.pulls[n] / weak.pulls[n])
                pairs.append(Drowned(strong, weak, ratio, shared))
    return sorted(pairs, key=lambda pair: -pair.ratio)


def _terms(
    model: keras.Model, batch: tuple, snapshot: Any
) -> list[tuple[str, str, Callable[[], Any]]]:
    """Kind, owner, and a function that gives the value, of each term of one call."""
    x, y, sample_weight = batch
    y_pred = model(x, training=True)
    terms: list = []
    for layer in all_layers(model):
        kind = "activity" if layer.activity_regularizer is not None else "added"
        for loss in losses_in_call(layer):
            terms.append((kind, layer.name, lambda loss=loss: loss))
        restore_added_losses(layer, AddedLosses([], set()))
    penalized = [v for v in model.trainable_variables if v.regularizer is not None]
    if penalized:
        terms.append(("penalty", "", lambda: sum(v.regularizer(v) for v in penalized)))

    def data(answers):
        with _without_penalties(penalized):
            return model.compute_loss(
                x=x, y=y, y_pred=answers, sample_weight=sample_weight
            )

    with_loss = [view for view in snapshot.views() if view.loss.kind != "none"]
    with_loss = [view for view in with_loss if view.targets is not None]
    if has_own_loss(model) or len(with_loss) == 1:
        return [("loss", "", lambda: data(y_pred)), *terms]
    return [
        *(
            ("output", view.name, lambda view=view: data(_alone(y_pred, view)))
            for view in with_loss
        ),
        *terms,
    ]


def _alone(y_pred: Any, view: Any) -> Any:
    """Outputs of which only one has a gradient."""
    stop = keras.ops.stop_gradient
    if isinstance(y_pred, dict):
        return {n: p if n == view.name else stop(p) for n, p in y_pred.items()}
    flat = keras.tree.flatten(y_pred)
    flat = [p if i == view.index else stop(p) for i, p in enumerate(flat)]
    return keras.tree.pack_sequence_as(y_pred, flat)


@contextlib.contextmanager
def _without_penalties(variables: list[keras.Variable]) -> Iterator[None]:
    """While open, the regularizers of some variables do not count."""
    regularizers = [variable.regularizer for variable in variables]
    try:
        for variable in variables:
            variable.regularizer = None
        yield
    finally:
        for variable, regularizer in zip(variables, regularizers, strict=True):
            variable.regularizer = regularizer
