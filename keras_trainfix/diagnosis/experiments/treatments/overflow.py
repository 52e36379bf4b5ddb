"""Treatments of numbers that leave the range of a function, or of a precision."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.backward import gradients_of, has_own_loss
from keras_trainfix.diagnosis.experiments.in_place import with_attributes
from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.diagnosis.experiments.treatments.functions import clipped
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.trial.runner import tensors_of
from keras_trainfix.diagnosis.trial.user_step import has_own_step
from keras_trainfix.models.batch_norm_layers import all_layers

HALF = ("float16", "bfloat16")
EPSILON = 1e-7  # as in the crossentropies of Keras
SAMPLES = 32
POSITIVE = ("exponential", "relu", "softplus")  # heads whose answers may be 0


@treatment("float32", 22, ("KTF409", "KTF412", "KTF418"))
def in_float32(case: Case) -> Iterator[Variant]:
    """All layers in float32."""
    layers = [x for x in all_layers(case.training.model) if _precision(x) in HALF]
    if not layers:
        return
    policy = keras.DTypePolicy("float32")
    changes = [(layer, "dtype_policy", policy) for layer in layers]
    yield Variant(
        f"float32 for {_precision(layers[-1])}",
        case.training.changed(with_attributes(changes)),
        'keras.config.set_dtype_policy("float32")  # before the model is built',
        lambda mended: mended.set(changes),
    )


@treatment("answers-clipped", 23, ("KTF409", "KTF412"))
def answers_clipped(case: Case) -> Iterator[Variant]:
    """Answers kept from 0 and 1 where the user's loss is not finite there."""
    model, views = case.training.model, case.snapshot.views()
    if model.loss is None or has_own_step(model) or has_own_loss(model):
        return
    ranges = [_range_of_answers(view) for view in views]
    if not any(ranges) or _is_finite_at_ends(case, ranges):
        return

    def kept(y_pred: Any) -> Any:
        return keras.tree.pack_sequence_as(
            y_pred,
            [
                p if ends is None else clipped(p, *ends)
                for p, ends in zip(keras.tree.flatten(y_pred), ranges, strict=True)
            ],
        )

    def loss(model: keras.Model, x: Any, y: Any, y_pred: Any, weights: Any) -> Any:
        return model.compute_loss(x=x, y=y, y_pred=kept(y_pred), sample_weight=weights)

    low, high = next(filter(None, ranges))
    words = f"[{low:g}, 1 - {low:g}]" if np.isfinite(high) else f"[{low:g}, inf)"
    code = f"y_pred = keras.ops.maximum(y_pred, {low:g})  # first line of your loss"
    if np.isfinite(high):
        code = f"y_pred = keras.ops.clip(y_pred, {low:g}, 1 - {low:g})  # in your loss"
    given = model.loss
    is_function = callable(given) and not isinstance(given, keras.Loss)
    yield Variant(
        f"the answers clipped to {words} in the loss",
        case.training.with_loss(loss),
        code,
        (lambda mended: _take(mended, given, kept)) if is_function else None,
    )


@treatment("softplus", 24, ("KTF409",))
def softplus(case: Case) -> Iterator[Variant]:
    """Softplus for an exponential output, or for one that has to be positive."""
    names = [v.head.layer for v in case.snapshot.views() if _is_to_be_softplus(v)]
    layers = [
        layer
        for layer in all_layers(case.training.model)
        if layer.name in names and hasattr(layer, "activation")
    ]
    if not layers:
        return
    changes = [(layer, "activation", keras.activations.softplus) for layer in layers]
    shown = ", ".join(repr(layer.name) for layer in layers)
    yield Variant(
        f"softplus as the activation of {shown}",
        case.training.changed(with_attributes(changes)),
        '# build the output with activation="softplus": positive, and never huge',
        lambda mended: mended.set(changes),
    )


def _is_to_be_softplus(view: Any) -> bool:
    """Whether answers are e to some power, or their logarithm is asked for."""
    is_count = view.loss.kind == "count" and view.head.activation == "linear"
    return is_count or view.head.activation == "exponential"


def _precision(layer: keras.Layer) -> str | None:
    return getattr(layer, "compute_dtype", None)


def _range_of_answers(view: Any) -> tuple[float, float] | None:
    """The open range of the answers of an output with a loss of the user, or None."""
    if view.loss.kind != "custom":
        return None
    if view.head.is_probability:
        return EPSILON, 1 - EPSILON
    return (EPSILON, np.inf) if view.head.activation in POSITIVE else None


def _is_finite_at_ends(case: Case, ranges: list) -> bool:
    """Whether loss and gradient are finite where all answers are 0, or all are 1."""
    model = case.training.model
    batch = x, y, weights = tensors_of(case.snapshot.sample, slice(SAMPLES))
    with untouched(model), backend.no_gradient():
        answers = model(x, training=False)
    for end in (0.0, 1.0):
        flat = [
            keras.Variable(p if ends is None else ops.full_like(p, end))
            for p, ends in zip(keras.tree.flatten(answers), ranges, strict=True)
        ]
        y_pred = keras.tree.pack_sequence_as(answers, flat)
        with untouched(model):
            value, slopes = gradients_of(
                model,
                lambda y_pred=y_pred: model.compute_loss(
                    x=batch[0],
                    y=y,
                    y_pred=keras.tree.map_structure(lambda v: v.value, y_pred),
                    sample_weight=weights,
                ),
                flat,
            )
        known = [slope for slope in slopes if slope is not None]
        if not np.isfinite(value) or not all(np.isfinite(s).all() for s in known):
            return False
    return True


def _take(mended: Mended, loss: Callable, kept: Callable) -> None:
    mended.loss = lambda y_true, y_pred: loss(y_true, kept(y_pred))
