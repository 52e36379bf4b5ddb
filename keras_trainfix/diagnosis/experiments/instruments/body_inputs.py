"""Does what enters a pretrained body have the scale that it was trained with?"""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.instruments.layer_calls import layer_calls
from keras_trainfix.diagnosis.observe.layer_calls import LayerCall
from keras_trainfix.diagnosis.observe.layers import DENSE_OR_CONV
from keras_trainfix.diagnosis.observe.pretrained import scheme_of
from keras_trainfix.models.batch_norm_layers import all_layers

SCALES = (1 / 300, 1 / 100)  # of a layer that expects 0 to 255
UNIT = 1.5  # largest number of images that were scaled already
TRACES = ("bias", "beta", "moving_mean")  # 0 in a new layer
ONE_FACTOR = 0.5  # spread of the logarithm, base 10, of the factors of the channels


class BodyInput(NamedTuple):
    """What enters a body, against what it was trained with.

    Attributes:
        kind: `"doubled"`: a layer in it scales again; `"statistics"`: its first batch
            normalization saw numbers of another scale; `"scheme"`: a net that is known
            by its layers expects another range.
        body: Name of the model, or of the layer.
        range: Tuple, the lowest and highest number that enters.
        factor: Float, by which inputs are too large, or too small if below 1.
        expected: String, the range that it expects; `""` where only a factor is known.
        is_fixed: Whether the first kernel is frozen, so that nothing adapts to it.
    """

    kind: str
    body: str
    range: tuple[float, float]
    factor: float
    expected: str
    is_fixed: bool


@instrument("inputs of a pretrained body")
def body_inputs(snapshot: Any) -> list[BodyInput] | None:
    """A `BodyInput` for each body whose inputs have another scale; None without any."""
    calls = layer_calls(snapshot)
    if calls is None:
        return None
    found = []
    leaves = calls.leaves
    for index, call in enumerate(leaves):
        if _scales_to_unit(call):
            found.append(_doubled(snapshot.model, leaves, index))
    first = next((i for i, c in enumerate(leaves) if _is_statistics(c)), None)
    if first is not None and _is_body(snapshot, leaves[first].layer):
        found.append(_statistics(snapshot.model, leaves, first))
    found.append(_scheme(snapshot.model, leaves))
    return [one for one in found if one is not None]


def common_factor(variances: np.ndarray, expected: np.ndarray) -> float | None:
    """The factor between the scales of channels, if it is one for all.

    Args:
        variances: Array of the variance of each channel.
        expected: Array of those that were expected.

    Returns:
        Float, how many times as large the numbers are; None where the channels differ:
        then the statistics are stale, and no scaling is the reason.

    Examples:
        >>> import numpy as np
        >>> expected = np.array([1.0, 4.0, 2.0])
        >>> common_factor(100 * expected, expected)
        10.0
        >>> common_factor(np.array([100.0, 0.01, 2.0]), expected) is None
        True
    """
    used = (expected > 1e-6 * expected.max()) & (variances > 0)
    if not used.any():
        return None
    factors = np.log10(variances[used] / expected[used]) / 2
    low, middle, high = np.quantile(factors, (0.1, 0.5, 0.9))
    return float(10**middle) if high - low < ONE_FACTOR else None


def _scales_to_unit(call: LayerCall) -> bool:
    """Whether a layer that expects 0 to 255 gets images that are scaled already."""
    layer = call.layer
    if not isinstance(layer, keras.layers.Rescaling) or len(call.inputs) != 1:
        return False
    given = call.inputs[0]
    if np.ndim(layer.scale) or not SCALES[0] < float(layer.scale) < SCALES[1]:
        return False
    is_image = given.ndim == 4 and given.shape[-1] in (1, 3, 4)
    largest = float(np.abs(given).max(initial=0))
    return is_image and given.dtype.kind == "f" and 0 < largest <= UNIT


def _doubled(model, leaves, index):
    call = leaves[index]
    largest = float(np.abs(call.inputs[0]).max())
    after = [later.layer for later in leaves[index + 1 :] if _has_kernel(later.layer)]
    is_fixed = bool(after) and not after[0].trainable_weights
    body = _owner(model, call.layer)
    return BodyInput(
        "doubled",
        body,
        _range(call),
        call.layer.scale if largest > 0 else 1.0,
        "0 to 255",
        is_fixed,
    )


def _is_statistics(call):
    """Whether this is batch normalization on images, with statistics from training."""
    layer = call.layer
    if not isinstance(layer, keras.layers.BatchNormalization) or not call.inputs:
        return False
    mean, variance = map(backend.to_numpy, (layer.moving_mean, layer.moving_variance))
    return bool(np.any(mean) and np.any(variance != 1)) and call.inputs[0].ndim == 4


def _is_body(snapshot, layer):
    """Whether a layer was trained before this training, in another model."""
    is_nested = all(layer is not own for own in snapshot.model.layers)
    return not layer.trainable or (is_nested and not snapshot.iterations)


def _statistics(model, leaves, first):
    call = leaves[first]
    kernels = [early for early in leaves[:first] if _has_kernel(early.layer)]
    if len(kernels) != 1:  # something else than scaling may be between
        return None
    layer, given = call.layer, call.inputs[0].astype("float64")
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    others = tuple(a for a in range(given.ndim) if a != axis % given.ndim)
    expected = backend.to_numpy(layer.moving_variance).astype("float64")
    factor = common_factor(given.var(axis=others), expected)
    if factor is None:
        return None
    entry = kernels[0]
    is_fixed = not entry.layer.trainable_weights
    body = _owner(model, layer)
    return BodyInput("statistics", body, _range(entry), factor, "", is_fixed)


def _scheme(model, leaves: list[LayerCall]) -> BodyInput | None:
    nested = [part for part in all_layers(model)[1:] if isinstance(part, keras.Model)]
    for body in (*reversed(nested), model):
        inside = all_layers(body)
        scheme = scheme_of(layer.name for layer in inside)
        if scheme is not None:
            break
    else:
        return None
    own = {id(layer) for layer in inside}
    calls = [call for call in leaves if id(call.layer) in own]
    entry = next((call for call in calls if _has_kernel(call.layer)), None)
    if entry is None or not entry.inputs or entry.inputs[0].ndim != 4:
        return None
    if not _has_traces(inside):
        return None  # nothing was loaded: it learns what it gets
    low, high = _range(entry)
    factor = scheme.factor(low, high)
    if factor is None:
        return None
    is_fixed = not entry.layer.trainable_weights
    return BodyInput(
        "scheme", scheme.name, (low, high), factor, scheme.expected, is_fixed
    )


def _has_traces(layers):
    """Whether biases or statistics show that layers were trained."""
    weights = [getattr(one, name, None) for one in layers for name in TRACES]
    tensors = [weight for weight in weights if isinstance(weight, keras.Variable)]
    return any(np.any(backend.to_numpy(weight)) for weight in tensors)


def _has_kernel(layer):
    return isinstance(layer, DENSE_OR_CONV)


def _owner(model, layer):
    """The name of the nested model that a layer is in, or its own."""
    for nested in model.layers:
        inside = all_layers(nested)[1:]
        if any(layer is one for one in inside):
            return nested.name
    return layer.name


def _range(call):
    values = call.inputs[0]
    return float(values.min()), float(values.max())
