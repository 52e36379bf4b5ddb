"""Which layer gives something else in training than in inference?"""

import inspect
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.instruments.layer_calls import layer_calls
from keras_trainfix.diagnosis.observe.layer_calls import LayerCall
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged

MOST = 64  # samples
NOISES = tuple(
    getattr(keras.layers, name)
    for name in (
        "Dropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "AlphaDropout",
        "GaussianDropout",
        "GaussianNoise",
    )
    if hasattr(keras.layers, name)
)


class TrainingDifference(NamedTuple):
    """What training makes of the input of one layer.

    Attributes:
        layer: The `keras.Layer`.
        r2: Float, 1 minus the squared difference between training and inference over
            the square of inference; 0 if training gives nothing but zeros.
        blank: Float, the share of the samples that are one single value in training,
            though they are not in inference.
        inference: Tuple, the lowest and highest value in inference.
        training: Tuple, the lowest and highest value in training.
        is_noise: Whether it is a dropout or noise layer, not an augmentation.
    """

    layer: Any
    r2: float
    blank: float
    inference: tuple[float, float]
    training: tuple[float, float]
    is_noise: bool


@instrument("each layer in training against inference")
def training_difference(snapshot: Any) -> list[TrainingDifference] | None:
    """A `TrainingDifference` for each dropout, noise and augmentation layer.

    Batch normalization is left out, and so are layers of the user behind weights: a
    layer that draws from a distribution gives its mean in inference.
    """
    calls = layer_calls(snapshot)
    if calls is None:
        return None
    found, seen, is_before_weights = [], set(), True
    with unchanged(snapshot.model), backend.no_gradient():
        for call in calls.leaves:
            layer = call.layer
            is_before_weights = is_before_weights and not layer.trainable_weights
            is_noise = isinstance(layer, NOISES)
            if id(layer) in seen or not (is_noise or is_before_weights):
                continue
            seen.add(id(layer))
            if _has_two_modes(layer):
                found.append(_difference(call, is_noise))
    return [one for one in found if one is not None]


def compared(inference: np.ndarray, training: np.ndarray) -> tuple[float, float] | None:
    """How much of an output training leaves: `(r2, blank)` of `TrainingDifference`.

    Args:
        inference: Array `(N, ...)`.
        training: Array of the same shape.

    Returns:
        Tuple of two floats; None where the inference is all zeros, or a number is not
        finite.

    Examples:
        >>> import numpy as np
        >>> x = np.array([[1.0, -1.0], [2.0, 0.0]])
        >>> compared(x, x), compared(x, 0 * x), compared(x, -x)
        ((1.0, 0.0), (0.0, 1.0), (-3.0, 0.0))
    """
    x, y = (v.reshape(len(v), -1).astype("float64") for v in (inference, training))
    size = float(np.square(x).sum())
    if not size or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    was = np.ptp(x, axis=1) > 0
    blank = float((np.ptp(y, axis=1)[was] == 0).mean()) if was.any() else 0.0
    return 1 - float(np.square(y - x).sum()) / size, blank


def _has_two_modes(layer):
    if isinstance(layer, keras.Model | keras.layers.BatchNormalization):
        return False
    try:
        return "training" in inspect.signature(layer.call).parameters
    except (TypeError, ValueError):  # a callable without a signature
        return False


def _difference(call: LayerCall, is_noise: bool) -> TrainingDifference | None:
    if len(call.inputs) != 1 or len(call.outputs) != 1:
        return None
    most = None if backend.compiles_each_shape() else MOST
    inference, given = call.outputs[0][:most], call.inputs[0][:most]
    try:
        training = backend.to_numpy(call.layer(given, training=True))
    except Exception:  # it takes more than an array
        return None
    training = training.astype("float32")
    if training.shape != inference.shape or inference.dtype.kind not in "biuf":
        return None
    both = compared(inference, training)
    if both is None:
        return None
    return TrainingDifference(
        call.layer, *both, _range(inference), _range(training), is_noise
    )


def _range(values):
    return float(values.min()), float(values.max())
