"""Treatments of the loss."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

from keras_trainfix.diagnosis.change import with_logits
from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.diagnosis.fix_code import PLAIN_STEP
from keras_trainfix.diagnosis.observe.batches import of_output
from keras_trainfix.diagnosis.observe.loss import losses_of
from keras_trainfix.diagnosis.trial.user_step import has_own_step

STANDARD = ("binary", "categorical", "sparse")


@treatment(
    "standard-loss",
    60,
    (
        *("KTF206", "KTF207", "KTF208", "KTF210", "KTF212", "KTF216"),
        *("KTF405", "KTF413"),
    ),
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
    terms = [(v, _in_shape(v, one)) for v, one in zip(views, losses, strict=True)]
    words = ", ".join(dict.fromkeys(name for name in names if name))
    shown = f'"{names[0]}"' if len(names) == 1 else str(names)
    yield Variant(
        f"the loss {words}",
        case.training.with_loss(total_of(terms)),
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
            PLAIN_STEP,
        )
        return
    for variant in standard_loss(case):
        training = variant.training.with_plain_step()
        words = f"the `train_step` of Keras and {variant.words}"
        yield Variant(words, training, f"{PLAIN_STEP}\n{variant.code}")


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
    loss = with_logits(name, not view.head.is_probability)
    return keras.losses.MeanSquaredError() if loss is None else loss


def _in_shape(view: Any, loss: keras.Loss) -> Callable[..., Any]:
    """A loss that takes numbers of any shape for those of the answers."""
    if view.task != "regression":
        return loss

    def in_shape(target: Any, answer: Any, weights: Any) -> Any:
        return loss(ops.reshape(target, ops.shape(answer)), answer, weights)

    return in_shape


def _take_loss(mended: Mended, losses: list[keras.Loss]) -> None:
    mended.loss = losses if len(losses) > 1 else losses[0]


def total_of(terms: list[tuple[Any, Callable[..., Any]]]) -> Callable[..., Any]:
    """The sum of the losses of outputs, and of what is added to it.

    Args:
        terms: Pairs of an `OutputView` and its loss: a function of targets, answers and
            sample weights.

    Returns:
        Function for `Training.with_loss`.
    """

    def total(model: keras.Model, x: Any, y: Any, y_pred: Any, weights: Any) -> Any:
        values = [
            loss(of_output(y, view), of_output(y_pred, view), of_output(weights, view))
            for view, loss in terms
        ]
        return sum(values) + sum(model.losses)

    return total
