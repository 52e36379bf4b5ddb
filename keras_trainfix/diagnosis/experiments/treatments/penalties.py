"""Treatments of what is added to the loss."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras.regularizers import L1, L1L2, L2

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.in_place import with_attributes
from keras_trainfix.diagnosis.experiments.instruments.loss_terms import (
    UNEQUAL,
    drowned,
    loss_terms,
)
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged
from keras_trainfix.diagnosis.trial.runner import tensors_of
from keras_trainfix.keras_internals import added_losses
from keras_trainfix.messages import listed
from keras_trainfix.models.batch_norm_layers import all_layers

SHOWN = {
    "penalty": "the penalties of the weights",
    "activity": "the activity regularizer of {!r}",
    "added": "the `add_loss` of {!r}",
}


@treatment("no-constraints", 9)
def no_constraints(case: Case) -> Iterator[Variant]:
    """Constraints of weights off."""
    model = case.training.model
    bound = [v for v in model.trainable_variables if v.constraint is not None]
    if not bound:
        return
    changes = [(v, "constraint", None) for v in bound]
    yield Variant(
        f"the constraints on the weights of {_owners(bound)} off",
        case.training.changed(with_attributes(changes)),
        "for weight in model.trainable_variables:\n    weight.constraint = None",
        lambda mended: mended.set(changes),
    )


@treatment("no-weight-penalties", 10, ("KTF408", "KTF415"), in_fit=True)
def no_weight_penalties(case: Case) -> Iterator[Variant]:
    """Regularizers of weights off."""
    model = case.training.model
    penalized = [v for v in model.trainable_variables if _regularizer(v)]
    if penalized:
        yield Variant(
            f"the penalties on the weights of {_owners(penalized)} off",
            case.training.changed(
                with_attributes((v, "regularizer", None) for v in penalized)
            ),
            "for layer in model.layers:\n"
            "    layer.kernel_regularizer = layer.bias_regularizer = None\n"
            "model = keras.models.clone_model(model)  # and compile it again",
            lambda mended: mended.set(
                (owner, name, None)
                for owner, name in (*_terms_of(model, "penalty", ""), *_saved(model))
            ),
        )


@treatment("no-activity-penalties", 11, ("KTF408", "KTF415"), in_fit=True)
def no_activity_penalties(case: Case) -> Iterator[Variant]:
    """Regularizers of activities off."""
    layers = [x for x in all_layers(case.training.model) if x.activity_regularizer]
    if layers:
        yield Variant(
            f"the activity penalties of {listed([x.name for x in layers], 3)} off",
            case.training.changed(
                with_attributes((x, "activity_regularizer", None) for x in layers)
            ),
            "for layer in model.layers:\n    layer.activity_regularizer = None",
            lambda mended: mended.set(
                (x, "activity_regularizer", None) for x in layers
            ),
        )


@treatment("no-added-loss", 12, ("KTF415",))
def no_added_loss(case: Case) -> Iterator[Variant]:
    """The terms of `add_loss` off, one layer at a time."""

    def ignore(loss: Any) -> None:
        """Adds nothing."""

    for layer in _adding_layers(case):
        yield Variant(
            f"the `add_loss` of {layer.name!r} off",
            case.training.changed(with_attributes([(layer, "add_loss", ignore)])),
            f"# give the `add_loss` in layer {layer.name!r} a smaller weight",
        )


@treatment("terms-balanced", 13, ("KTF408", "KTF415"))
def terms_balanced(case: Case) -> Iterator[Variant]:
    """What drowns the loss with a gradient as large as that of the loss."""
    model = case.training.model
    factors: dict[tuple[str, str], float] = {}
    for pair in drowned(loss_terms(case.snapshot) or []):  # the most unequal first
        key = pair.strong.kind, pair.strong.owner
        if pair.weak.is_data and not pair.strong.is_data and pair.ratio > UNEQUAL:
            factors.setdefault(key, float(f"{1 / pair.ratio:.1g}"))
    if not factors:
        return
    changes = [
        (owner, name, _scaled(getattr(owner, name), factor))
        for (kind, layer_name), factor in factors.items()
        for owner, name in _terms_of(model, kind, layer_name)
    ]
    is_added = any(kind == "added" for kind, _ in factors)
    words = ", ".join(
        f"{SHOWN[kind].format(name)} x {factor:g}"
        for (kind, name), factor in factors.items()
    )
    yield Variant(
        f"what is added to the loss balanced by gradient: {words}",
        case.training.changed(with_attributes(changes)),
        f"# smaller factors: {words}",
        None
        if is_added
        else lambda mended: mended.set(
            (*changes, *_saved_scaled(model, factors.get(("penalty", ""), 1.0)))
        ),
    )


def _adding_layers(case: Case) -> list[keras.Layer]:
    """The layers that add a loss when they are called, besides a regularizer's."""
    model = case.training.model
    layers = [x for x in all_layers(model) if x.activity_regularizer is None]
    x, *_ = tensors_of(case.snapshot.sample, slice(2))
    with unchanged(model), backend.no_gradient():
        model(x, training=True)
        return [layer for layer in layers if added_losses(layer).losses]


def _terms_of(model: Any, kind: str, layer_name: str) -> list[tuple[Any, str]]:
    """Objects that hold a term, each with the name of the attribute."""
    if kind == "penalty":
        return [
            (v, "regularizer") for v in model.trainable_variables if _regularizer(v)
        ]
    name = "activity_regularizer" if kind == "activity" else "add_loss"
    return [(x, name) for x in all_layers(model) if x.name == layer_name]


def _scaled(term: Callable, factor: float) -> Callable:
    """A regularizer, or the `add_loss` of a layer, times a factor."""
    if getattr(term, "__name__", "") == "add_loss":
        return lambda loss: term(keras.tree.map_structure(lambda x: factor * x, loss))
    if type(term) in (L1, L2, L1L2):
        l1, l2 = (float(getattr(term, name, 0.0)) for name in ("l1", "l2"))
        return L1L2(factor * l1, factor * l2)
    return lambda x: factor * term(x)


def _saved_scaled(model: Any, factor: float) -> list[tuple[Any, str, Any]]:
    return [
        (layer, name, _scaled(getattr(layer, name), factor))
        for layer, name in _saved(model)
    ]


def _saved(model: Any) -> list[tuple[Any, str]]:
    """Layers with a regularizer of weights, and its name, under which it is saved."""
    return [
        (layer, name)
        for layer in all_layers(model)
        for name, value in vars(layer).items()
        if name.endswith("regularizer") and name != "activity_regularizer" and value
    ]


def _regularizer(variable):
    return getattr(variable, "regularizer", None)


def _owners(variables: list[keras.Variable]) -> str:
    """The names of the layers that variables belong to."""
    names = sorted({v.path.split("/")[-2] for v in variables if "/" in v.path})
    return listed(names, 3)
