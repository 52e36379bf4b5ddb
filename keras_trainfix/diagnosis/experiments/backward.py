"""One backward pass of the loss that training minimizes, on a few samples."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.data import leaves
from keras_trainfix.diagnosis.observe.label_faults import unreadable
from keras_trainfix.diagnosis.observe.layer_outputs import LayerOutput, untouched
from keras_trainfix.diagnosis.observe.loss import losses_of
from keras_trainfix.diagnosis.trial.runner import tensors_of

MOST = 256  # samples
FEWEST = 4
PRODUCTS = 2e9  # of a forward pass: some tenths of a second


def has_loss(snapshot: Any) -> bool:
    """Whether a training step has a loss that Keras, and so an instrument, can compute.

    Args:
        snapshot: `Snapshot`.
    """
    model = snapshot.model
    if getattr(model, "optimizer", None) is None or not model.trainable_variables:
        return False
    if any(map(unreadable, snapshot.views())):
        return False
    if backend.is_faster_in_one_piece(len(snapshot.layers)):
        return False  # operation by operation it takes too long
    is_compiled = any(loss is not None for loss in losses_of(model, snapshot.names))
    if is_compiled:
        return snapshot.has_targets and snapshot.step_failure is None
    return has_own_loss(model) or _adds_losses(snapshot)


def _adds_losses(snapshot: Any) -> bool:
    """Whether layers or weights have losses of their own."""
    model = snapshot.model
    x, *_ = tensors_of(snapshot.sample, slice(2))
    with untouched(model), backend.no_gradient():
        model(x, training=True)
        return bool(model.losses)


def has_own_loss(model: keras.Model) -> bool:
    """Whether `compute_loss` is the user's."""
    home = type(model).compute_loss.__module__ or ""  # None of code from `exec`
    return not home.startswith("keras.")


def loss_of(model: keras.Model, batch: Sequence[Any]) -> Any:
    """The loss of a batch in training mode, penalties included: a scalar tensor.

    Args:
        model: A `keras.Model`.
        batch: `(x, y, sample_weight)`, of tensors or structures of these.
    """
    x, y, sample_weight = batch
    y_pred = model(x, training=True)
    return model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)


def gradients_of(
    model: keras.Model, function: Any, variables: Sequence[keras.Variable]
) -> tuple[float, list[np.ndarray | None]]:
    """The value of a function of the weights of a model, and its gradients.

    Args:
        model: A `keras.Model`, `untouched`.
        function: Function without arguments that returns a scalar tensor.
        variables: List of `keras.Variable`, of the model or not.

    Returns:
        `(value, gradients)`: for each variable an array, or None if the function does
        not depend on it.
    """
    ids = {id(variable) for variable in variables}
    others = [v for v in model.variables if id(v) not in ids]
    value, gradients = backend.value_and_gradients(
        lambda: keras.ops.sum(function()), variables, others
    )
    return float(value), gradients


def affordable(snapshot: Any, most: int = MOST) -> np.ndarray:
    """Numbers of the samples that a backward pass can take in a moment.

    Args:
        snapshot: `Snapshot`.
        most: Integer.

    Returns:
        Array of integers, spread over all samples.
    """
    length = len(leaves(snapshot.sample.x)[0])
    products = sum(map(_products, snapshot.layers))
    number = int(np.clip(PRODUCTS / max(products, 1.0), FEWEST, most))
    return np.unique(np.linspace(0, length - 1, min(number, length)).astype(int))


def _products(output: LayerOutput) -> float:
    """Multiplications of a layer for one sample: those of a kernel at each position."""
    layer, values = output
    if isinstance(layer, keras.layers.Embedding):
        return 0.0
    kernels = [v for v in layer.trainable_variables if len(v.shape) > 1]
    positions = np.prod(values.shape[1:-1]) if values.ndim > 2 else 1.0
    return float(positions * sum(np.prod(kernel.shape) for kernel in kernels))
