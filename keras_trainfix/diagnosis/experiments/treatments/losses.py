"""Treatments of the loss."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.diagnosis.observe.batches import of_output
from keras_trainfix.diagnosis.observe.loss import losses_of
from keras_trainfix.diagnosis.trial.user_step import has_own_step

STANDARD = ("binary", "categorical", "sparse")
CLASSES = {
    "binary_crossentropy": keras.losses.BinaryCrossentropy,
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
    "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
}


@treatment(
    "standard-loss",
    60,
    ("KTF206", "KTF207", "KTF208", "KTF210", "KTF212", "KTF405", "KTF413"),
)
def standard_loss(case: Case) -> Iterator[Variant]:
    """The standard loss of each task."""
    views = case.snapshot.views()
    names = [name for view in views if (name := _standard(view)) is not None]
    if len(names) < len(views):
        return
    if all(_is_standard(view) for view in views):
        return
    losses = [_loss_object(*pair) for pair in zip(views, names, strict=True)]
    by_output = [_of_output(*pair) for pair in zip(views, losses, strict=True)]
    words = ", ".join(dict.fromkeys(name for name in names if name))
    shown = f'"{names[0]}"' if len(names) == 1 else str(names)
    yield Variant(
        f"the loss {words}",
        case.training.with_loss(_sum_of(by_output)),
        f"model.compile(model.optimizer, loss={shown})",
        lambda mended: _take_loss(mended, losses),
    )


@treatment("keras-step", 21, ("KTF416", "KTF417"))
def keras_step(case: Case) -> Iterator[Variant]:
    """The `train_step` of Keras instead of the user's."""
    model = case.training.model
    if not has_own_step(model):
        return
    training = case.training.with_plain_step()
    if model.loss is not None:
        yield Variant(
            "the `train_step` of Keras",
            training,
            "# remove your `train_step`, or compare it with that of `keras.Model`",
        )
        return
    for variant in standard_loss(case):
        training = variant.training.with_plain_step()
        words = f"the `train_step` of Keras and {variant.words}"
        yield Variant(words, training, f"# remove your `train_step`\n{variant.code}")


@treatment("loss-negated", 61)
def loss_negated(case: Case) -> Iterator[Variant]:
    """The other sign of a loss of the user."""
    losses = losses_of(case.training.model, case.snapshot.names)
    kinds = [view.loss.kind for view in case.snapshot.views()]
    if "custom" not in kinds or not losses:
        return

    def negated(model: keras.Model, x: Any, y: Any, y_pred: Any, weights: Any) -> Any:
        return -model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weights)

    yield Variant(
        "the sign of the loss changed",
        case.training.with_loss(negated),
        "loss = model.loss\n"
        "model.compile(model.optimizer, lambda y_true, y_pred: -loss(y_true, y_pred))",
    )


def _standard(view: Any) -> str | None:
    """The name of the standard loss of an output, or None."""
    labels = view.labels
    if view.task == "regression":
        same = labels is not None and view.targets.size == view.predictions.size
        return "mean_squared_error" if same else None
    if (
        labels is None
        or labels.numbers is None
        or view.class_axis != (view.predictions.ndim - 1)
    ):
        return None
    if view.head.units == 1 or "multi-label" in view.task:
        return "binary_crossentropy"
    return (
        "categorical_crossentropy"
        if labels.is_rows
        else ("sparse_categorical_crossentropy")
    )


def _is_standard(view):
    if view.task == "regression":
        return view.loss.name == "mean_squared_error"
    return view.loss.kind in STANDARD


def _loss_object(view: Any, name: str) -> keras.Loss:
    if name == "mean_squared_error":
        return keras.losses.MeanSquaredError()
    return CLASSES[name](from_logits=not view.head.is_probability)


def _of_output(view: Any, loss: keras.Loss) -> Callable[[Any, Any], Any]:
    """The loss of one output as a function of all targets and answers."""

    def loss_of_output(y: Any, y_pred: Any) -> Any:
        target, answer = of_output(y, view), of_output(y_pred, view)
        if view.task == "regression":
            target = ops.reshape(target, ops.shape(answer))
        return loss(target, answer)

    return loss_of_output


def _take_loss(mended: Mended, losses: list[keras.Loss]) -> None:
    mended.loss = losses if len(losses) > 1 else losses[0]


def _sum_of(losses: list[Callable]) -> Callable[..., Any]:
    def total(model: keras.Model, x: Any, y: Any, y_pred: Any, weights: Any) -> Any:
        return sum(loss(y, y_pred) for loss in losses) + sum(model.losses)

    return total
