"""The value of a compiled loss on the samples, as `fit` would compute it."""

import warnings
from typing import Any

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.observe.loss import losses_of


def loss_value(view: Any) -> Any:
    """The value of the compiled loss of an output on all samples at once.

    Sample weights, loss weights, masks of layers and penalties are left out.

    Args:
        view: `OutputView`.

    Returns:
        Float, or None where there is no loss, no target, or no finite number.
    """
    loss = losses_of(view.model, view.names)[view.index]
    return value_of(loss, view.targets, view.predictions)


def value_of(loss: Any, targets: np.ndarray | None, predictions: np.ndarray) -> Any:
    """The value of a loss for targets and predictions of the shapes as they are.

    Args:
        loss: A loss as `compile` takes it: name, function or instance.
        targets: Array, or None.
        predictions: Array.

    Returns:
        Float, or None where there is no loss, no target, or no finite number.
    """
    if loss is None or targets is None or not len(predictions):
        return None
    try:
        with warnings.catch_warnings(), backend.no_gradient():
            warnings.simplefilter("ignore")  # what the loss has to say, `fit` shows
            value = float(backend.to_numpy(_as_in_fit(loss, targets, predictions)))
    except Exception:  # it does not fit: the checks of shapes and labels say why
        return None
    return value if np.isfinite(value) else None


def value_of_answers(view: Any, wrongness: float = 0.0) -> Any:
    """The value of the compiled loss of an output for its targets as predictions.

    Args:
        view: `OutputView`.
        wrongness: Float, how far to go from targets of 0 and 1 to their opposites.

    Returns:
        Float, or None where targets are no predictions, as from `value_of`.
    """
    y, p = view.targets, view.predictions
    if y is None or y.dtype.kind not in "biuf" or y.size != p.size:
        return None
    answers = y.reshape(p.shape).astype("float32")
    answers += wrongness * (1 - 2 * answers)
    return value_of(losses_of(view.model, view.names)[view.index], y, answers)


def _as_in_fit(loss, targets, predictions):
    # Functions get a wrapper that matches ranks, and instances do not: only Keras
    # knows. The name keeps the numbering of the user's models.
    caller = keras.Sequential(name="loss_value")
    caller.compile("sgd", loss, jit_compile=False)
    return caller.compute_loss(
        y=keras.ops.convert_to_tensor(_narrow(targets)),
        y_pred=keras.ops.convert_to_tensor(_narrow(predictions)),
    )


def _narrow(array):
    """Floats in Keras' own precision, which is what reaches a loss in `fit`."""
    if array.dtype.kind == "f":
        return array.astype(keras.config.floatx())
    return array
