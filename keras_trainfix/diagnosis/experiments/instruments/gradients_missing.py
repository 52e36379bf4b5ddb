"""Which layers are called, and yet no gradient comes back to them."""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.backward import affordable, has_loss, loss_of
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.trial.runner import tensors_of
from keras_trainfix.diagnosis.trial.user_step import has_own_step

SAMPLES = 8


class MissingGradients(NamedTuple):
    """Layers with trainable kernels that neither loss nor outputs depend on.

    Attributes:
        layers: List of their names, in the order of the calls.
        kernels: Integer, how many layers with kernels are called.
        share: Float, the share of these layers' weights that is in such layers.
    """

    layers: list[str]
    kernels: int
    share: float


@instrument("layers without a gradient")
def missing_gradients(snapshot: Any) -> MissingGradients | None:
    """The `MissingGradients` of a `Snapshot`.

    A gradient that is 0 by its numbers, as behind dead units or a kernel that begins at
    0, is none of these: only one that does not exist. None without a loss, or if the
    step is the user's.
    """
    model = snapshot.model
    if not has_loss(snapshot) or has_own_step(model):
        return None
    layers = [
        layer
        for layer in dict.fromkeys(output.layer for output in snapshot.layers)
        if _kernels(layer)
    ]
    variables = [variable for layer in layers for variable in _kernels(layer)]
    if not variables:
        return None
    batch = tensors_of(snapshot.sample, affordable(snapshot, SAMPLES))

    def answers():
        y_pred = model(batch[0], training=True)
        return sum(
            keras.ops.sum(keras.ops.cast(leaf, "float32"))
            for leaf in keras.tree.flatten(y_pred)
        )

    ids = {id(variable) for variable in variables}
    others = [v for v in model.variables if id(v) not in ids]
    reached: set[int] = set()
    for function in (lambda: keras.ops.sum(loss_of(model, batch)), answers):
        with untouched(model):
            have = backend.have_gradients(function, variables, others)
        reached |= {id(v) for v, has in zip(variables, have, strict=True) if has}
    missing = [
        layer for layer in layers if not any(id(v) in reached for v in _kernels(layer))
    ]
    sizes = [sum(map(_size, _kernels(layer))) for layer in layers]
    lost = sum(sum(map(_size, _kernels(layer))) for layer in missing)
    names = [layer.name for layer in missing]
    return MissingGradients(names, len(layers), lost / sum(sizes))


def _kernels(layer: Any) -> list[keras.Variable]:
    return [v for v in layer.trainable_variables if len(v.shape) > 1]


def _size(variable: keras.Variable) -> int:
    return int(np.prod(variable.shape))
