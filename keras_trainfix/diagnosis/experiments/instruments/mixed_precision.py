"""Does float16 have the numbers that a model needs?"""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.backward import (
    affordable,
    gradients_of,
    has_loss,
    loss_of,
)
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.instruments.gradients_finite import (
    finite_gradients,
)
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.observe.variation import is_finite
from keras_trainfix.diagnosis.trial.runner import tensors_of
from keras_trainfix.models.batch_norm_layers import all_layers

SAMPLES = 64


class HalfPrecision(NamedTuple):
    """A model in float16, and the same one in float32.

    Attributes:
        is_finite: Whether outputs and gradients are finite as the model is.
        is_finite_in_float32: Whether they are in float32; None if that was not asked.
        layer: String, the layer at which it ends in float16; None where unknown.
        scale: Float, the present factor of the loss; NaN without loss scaling.
    """

    is_finite: bool
    is_finite_in_float32: bool | None
    layer: str | None
    scale: float


@instrument("float16 against float32")
def half_precision(snapshot: Any) -> HalfPrecision | None:
    """The `HalfPrecision` of a `Snapshot`; None for a model without float16."""
    model = snapshot.model
    halves = [layer for layer in all_layers(model) if _is_half(layer)]
    if not halves or not all(map(is_finite, snapshot.inputs.values())):
        return None
    scale = getattr(getattr(model, "optimizer", None), "dynamic_scale", None)
    factor = float("nan") if scale is None else float(backend.to_numpy(scale))
    first = next((o.layer.name for o in snapshot.layers if not o.is_finite), None)
    if not all(map(is_finite, snapshot.predictions)):
        return HalfPrecision(False, _in_float32(snapshot), first, factor)
    seen = finite_gradients(snapshot)
    if seen is None or seen.is_finite:
        return HalfPrecision(True, None, None, factor)
    place = None if seen.place is None else seen.place.layer
    return HalfPrecision(False, _in_float32(snapshot), place, factor)


def _is_half(layer: keras.Layer) -> bool:
    return bool(getattr(layer, "compute_dtype", None) == "float16")


def _in_float32(snapshot: Any) -> bool:
    """Whether outputs, and gradients where there is a loss, are finite in float32."""
    model = snapshot.model
    batch = tensors_of(snapshot.sample, affordable(snapshot, SAMPLES))
    variables = model.trainable_variables
    with _computing_in_float32(model), untouched(model):
        if has_loss(snapshot):
            _, gradients = gradients_of(model, lambda: loss_of(model, batch), variables)
            arrays = [g for g in gradients if g is not None]
        else:
            with backend.no_gradient():
                leaves = keras.tree.flatten(model(batch[0], training=False))
            arrays = [backend.to_numpy(leaf) for leaf in leaves]
    return all(np.isfinite(array.astype("float32")).all() for array in arrays)


@contextlib.contextmanager
def _computing_in_float32(model: keras.Model) -> Iterator[None]:
    """While open, the layers compute in the precision of their variables."""
    halves = [layer for layer in all_layers(model) if _is_half(layer)]
    policies = [layer.dtype_policy for layer in halves]
    try:
        for layer in halves:
            layer.dtype_policy = keras.DTypePolicy("float32")
        yield
    finally:
        for layer, policy in zip(halves, policies, strict=True):
            layer.dtype_policy = policy
