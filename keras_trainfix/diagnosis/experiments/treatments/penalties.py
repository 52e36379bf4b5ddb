"""Treatments of what is added to the loss."""

from collections.abc import Iterator
from typing import Any

from keras_trainfix.diagnosis.experiments.in_place import with_attributes
from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.keras_internals import added_losses
from keras_trainfix.models.batch_norm_layers import all_layers


@treatment("no-weight-penalties", 10, ("KTF408", "KTF415"))
def no_weight_penalties(case: Case) -> Iterator[Variant]:
    """Regularizers of weights off."""
    model = case.training.model
    penalized = [v for v in model.trainable_variables if _regularizer(v)]
    if penalized:
        names = sorted({v.path.split("/")[-2] for v in penalized if "/" in v.path})
        yield Variant(
            f"the penalties on the weights of {_listed(names)} off",
            case.training.changed(
                with_attributes((v, "regularizer", None) for v in penalized)
            ),
            "for layer in model.layers:\n"
            "    layer.kernel_regularizer = layer.bias_regularizer = None\n"
            "model = keras.models.clone_model(model)  # and compile it again",
            lambda mended: _without_regularizers(mended, penalized),
        )


@treatment("no-activity-penalties", 11, ("KTF408", "KTF415"))
def no_activity_penalties(case: Case) -> Iterator[Variant]:
    """Regularizers of activities off."""
    layers = [x for x in all_layers(case.training.model) if x.activity_regularizer]
    if layers:
        yield Variant(
            f"the activity penalties of {_listed([x.name for x in layers])} off",
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

    for layer in all_layers(case.training.model):
        if not added_losses(layer).losses:
            continue
        yield Variant(
            f"the `add_loss` of {layer.name!r} off",
            case.training.changed(with_attributes([(layer, "add_loss", ignore)])),
            f"# give the `add_loss` in layer {layer.name!r} a smaller weight",
        )


def _without_regularizers(mended: Mended, penalized: list) -> None:
    mended.set((variable, "regularizer", None) for variable in penalized)
    for layer in all_layers(mended.copy):
        for name in [key for key in vars(layer) if key.endswith("regularizer")]:
            if name != "activity_regularizer":
                setattr(layer, name, None)  # as it is saved


def _regularizer(variable):
    return getattr(variable, "regularizer", None)


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")
