"""The head of an output: its activation and its units."""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.diagnosis.observe.layer_outputs import LayerOutput
from keras_trainfix.keras_internals import producer

# Layers that only move the numbers of a head.
PASS_ON = (
    keras.layers.Reshape,
    keras.layers.Flatten,
    keras.layers.Permute,
    keras.layers.Dropout,
    keras.layers.Identity,
)
ROUNDING = 1e-5  # of a probability
# The lowest and highest value of each activation.
RANGES = {
    "sigmoid": (0, 1),
    "hard_sigmoid": (0, 1),
    "softmax": (0, 1),
    "tanh": (-1, 1),
    "hard_tanh": (-1, 1),
    "soft_sign": (-1, 1),
    "softsign": (-1, 1),
    "relu": (0, np.inf),
    "relu6": (0, 6),
    "softplus": (0, np.inf),
    "exponential": (0, np.inf),
}


class Head(NamedTuple):
    """The head of one output.

    Attributes:
        activation: String, the name of the last activation; `"linear"` for none;
            `"unknown"` where the numbers come from something else than a layer.
        units: Integer, the size of the class axis.
        layer: Name of the layer with the weights, or None.
        inner: String, the activation that the numbers have been through before the
            last one, with no weights in between; None without one.
    """

    activation: str
    units: int
    layer: str | None
    inner: str | None = None

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and highest value of the activation."""
        return RANGES.get(self.activation, (-np.inf, np.inf))

    @property
    def is_probability(self) -> bool:
        """Whether the outputs are probabilities."""
        return self.activation in ("sigmoid", "hard_sigmoid", "softmax")


def find_head(
    predictions: np.ndarray, outputs: list[LayerOutput], axis: int = -1
) -> Head:
    """The `Head` of predictions, from the outputs of the layers.

    Args:
        predictions: NumPy array `(N, ...)`.
        outputs: List of `LayerOutput`, in the order of the calls.
        axis: Integer, the class axis of the predictions. Defaults to `-1`.

    Returns:
        `Head`.
    """
    units = predictions.shape[axis] if predictions.ndim > 1 else 1
    flat = predictions.ravel()
    for index in reversed(range(len(outputs))):
        values = outputs[index].values
        part = flat[: values.size]
        if values.size and np.array_equal(values.ravel(), part, equal_nan=True):
            return _head(outputs, index, units)
    if _is_called_for_each_step(predictions, outputs):
        return _head(outputs, len(outputs) - 1, units)
    return Head("unknown", units, None)


def _is_called_for_each_step(predictions, outputs):
    """Whether the calls of the last layer are the steps, as in `TimeDistributed`."""
    last = outputs[-1].layer if outputs else None
    calls = [output.values for output in outputs if output.layer is last]
    if predictions.ndim < 3 or len(calls) != predictions.shape[1]:
        return False
    steps = np.stack(calls, 1) if len({call.shape for call in calls}) == 1 else None
    return steps is not None and np.array_equal(
        steps, predictions[: len(steps)], equal_nan=True
    )


def activation_of(layer: keras.Layer) -> str:
    """The name of the activation that a layer ends with, `"linear"` for none."""
    name = {
        keras.layers.Softmax: "softmax",
        keras.layers.ReLU: "relu",
        keras.layers.LeakyReLU: "leaky_relu",
        keras.layers.PReLU: "prelu",
        keras.layers.ELU: "elu",
    }.get(type(layer))
    if name == "relu" and layer.negative_slope:
        return "leaky_relu"
    if name:
        return name
    activation = getattr(layer, "activation", None)
    if activation is None:
        return "linear"
    return getattr(activation, "__name__", type(activation).__name__.lower())


def last_layer(model: keras.Model, index: int) -> Any:
    """The layer with the activation of an output, or None if unknown."""
    if not getattr(model, "outputs", None):
        return None
    layer = producer(model.outputs[index])
    while isinstance(layer, PASS_ON):
        layer = producer(layer.input)
    if isinstance(layer, keras.Model) or not isinstance(layer, keras.Layer):
        return None
    is_activation = isinstance(layer, keras.layers.Softmax | keras.layers.ReLU)
    return layer if is_activation or hasattr(layer, "activation") else None


def _head(outputs, index, units):
    source: int | None = index
    while source is not None and isinstance(outputs[source].layer, PASS_ON):
        index, source = source, _source(outputs, source)
    index = index if source is None else source
    layer = outputs[index].layer
    activation = activation_of(layer)
    if not layer.weights:  # an activation layer
        is_activation = activation != "linear"
        known = is_activation or isinstance(layer, keras.layers.Activation)
        name = _weighted_before(outputs, index)
        inner = _inner(outputs, index, activation) if is_activation else None
        return Head(activation if known else "unknown", units, name, inner)
    return Head(activation, units, layer.name)


def _inner(outputs, index, activation):
    """The activation of the numbers that a sigmoid or softmax layer gets, or None."""
    if activation not in ("sigmoid", "softmax"):
        return None
    wanted = outputs[index].values
    for output in reversed(outputs[:index]):
        if output.values.shape != wanted.shape or isinstance(output.layer, PASS_ON):
            continue
        powers = np.exp(np.clip(output.values.astype("float64"), -50, 50))
        rest = 1 + powers if activation == "sigmoid" else powers.sum(-1, keepdims=True)
        if np.allclose(powers / rest, wanted, atol=ROUNDING):
            inner = activation_of(output.layer)
            return None if inner == "linear" else inner
    return None


def _source(outputs, index):
    """The last earlier call with the same numbers in any order, or None."""
    numbers = np.sort(outputs[index].values[:1], axis=None)
    for earlier in reversed(range(index)):
        values = outputs[earlier].values[:1]
        if values.size == numbers.size:
            values = np.sort(values, axis=None)
            if np.array_equal(values, numbers, equal_nan=True):
                return earlier
    return None


def _weighted_before(outputs, index):
    """The name of the layer whose numbers an activation gets, or None.

    The graph knows it if there is one; else it is the last that was called.
    """
    before = [output.layer for output in outputs[:index] if output.layer.weights]
    layer = outputs[index].layer
    for _ in range(index):
        try:
            layer = producer(layer.input)
        except (AttributeError, ValueError):  # called twice, or in no graph
            break
        if any(layer is one for one in before):
            return layer.name
    return before[-1].name if before else None
