"""Which layer gives the same output whatever its weights and its input are?"""

import math
from typing import Any, NamedTuple

import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.instruments.layer_calls import layer_calls
from keras_trainfix.diagnosis.observe.layer_calls import Calls, LayerCall, SoftmaxCall
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged
from keras_trainfix.diagnosis.observe.variation import (
    ROUNDING,
    root_mean_square,
    same_values,
    varies,
)
from keras_trainfix.keras_internals import child_layers

TRIES = 4  # with other weights
MOST = 32  # samples of such a call


class ConstantLayer(NamedTuple):
    """A layer, or a softmax in it, whose output does not depend on its input.

    Attributes:
        layer: The `keras.Layer`, the innermost where there are several.
        source: The name of the layer of a single unit before a softmax, or None.
        value: Float, the one value of the output; NaN where it has several.
        shape: Tuple, the shape of the constant, with the samples.
        axis: Integer, the axis of size one of a softmax; None for no softmax.
    """

    layer: Any
    source: str | None
    value: float
    shape: tuple[int, ...]
    axis: int | None


@instrument("constant layers")
def constant_layers(snapshot: Any) -> list[ConstantLayer] | None:
    """The `ConstantLayer`s, softmaxes first; None for a model that cannot be called.

    The heads of a model are left out: others judge them. A normalization is no head.
    """
    calls = layer_calls(snapshot)
    if calls is None or not calls.layers:
        return None
    found = [one for call in calls.softmaxes if (one := _softmax(calls, call))]
    over_one = [call for call in calls.softmaxes if call.shape[call.axis] == 1]
    named = {id(call.layers[-1]) for call in over_one}  # judged above
    candidates = {
        id(call.layer): call
        for index, call in enumerate(calls.layers)
        if call.is_leaf
        and id(call.layer) not in named
        and _is_candidate(call)
        and (_normalizes(call.layer) or not _is_head(calls.layers, index))
    }
    if candidates:
        with unchanged(snapshot.model), backend.no_gradient():
            found += filter(None, map(_constant, candidates.values()))
    return found


def _softmax(calls: Calls, softmax: SoftmaxCall) -> ConstantLayer | None:
    """A softmax over the single score of each place, which a layer of one unit gave."""
    shape, axis = softmax.shape, softmax.axis
    if axis == 0 or shape[axis] != 1:
        return None
    layer = softmax.layers[-1]
    ended = softmax.after
    if calls.layers[ended].layer is layer and _is_head(calls.layers, ended):
        return None
    if len(shape) == 2 and any(map(_has_ones, calls.layers[-1].outputs)):
        return None  # the weight of a single component is a part of the answer
    source = _one_unit(calls.layers[: softmax.after], layer, shape)
    if source is None:
        return None  # the data have a single position, or the like
    return ConstantLayer(layer, source, 1.0, shape, axis)


def _has_ones(answer):
    """Whether a column of an answer is 1 for all samples."""
    return answer.ndim == 2 and bool((answer == 1).all(0).any())


def _one_unit(
    before: list[LayerCall], layer: Any, shape: tuple[int, ...]
) -> str | None:
    """The name of the layer with one unit whose scores a softmax gets, or None."""
    if _has_one_unit(layer):
        return layer.name
    size = math.prod(shape[1:])
    for call in reversed(before):
        is_it = call.outputs and math.prod(call.outputs[0].shape[1:]) == size
        if is_it and call.is_leaf and _has_one_unit(call.layer):
            return call.layer.name
    return None


def _has_one_unit(layer):
    inner = {id(w) for child in child_layers(layer) for w in child.weights}
    shapes = [tuple(w.shape) for w in layer.weights if id(w) not in inner]
    return any(len(shape) > 1 and shape[-1] == 1 for shape in shapes)


def _is_head(calls: list[LayerCall], index: int) -> bool:
    """Whether a call gives an answer of the model, and no weights follow."""
    is_answer = any(
        values.size == answer.size and same_values(values, answer)
        for values in calls[index].outputs
        for answer in calls[-1].outputs
    )
    later = [call for call in calls[index + 1 :] if call.is_leaf]
    return is_answer and not any(call.layer.weights for call in later)


def _normalizes(layer: Any) -> bool:
    return "Normalization" in type(layer).__name__


def _is_candidate(call: LayerCall) -> bool:
    """Whether a layer with weights is constant over samples that differ before it."""
    if len(call.inputs) != 1 or len(call.outputs) != 1 or not call.layer.weights:
        return False
    given, values = call.inputs[0], call.outputs[0]
    if given.dtype.kind not in "biuf" or values.dtype.kind != "f":
        return False
    if len(given) != len(values) or not np.isfinite(values).all():
        return False
    is_keras = type(call.layer).__module__.startswith("keras.")
    # A layer of a user may make positions, or queries, of nothing but weights.
    is_judged = is_keras or _is_one_value(values)
    return is_judged and varies(given) and not _differs(values, given)


def _is_one_value(values):
    return bool(values.size) and not varies(values.reshape(-1))


def _differs(values, given):
    """Whether an output varies between samples by more than the rounding of both."""
    if not varies(values):
        return False
    spreads = (float(np.ptp(part, axis=0).max(initial=0)) for part in (values, given))
    spread, spread_given = spreads
    return spread > ROUNDING * spread_given


def _constant(call: LayerCall) -> ConstantLayer | None:
    """The `ConstantLayer` of a call, if it is constant with other weights as well."""
    if not _stays_constant(call):
        return None
    values = call.outputs[0]
    one = np.round(values, 5)
    value = float(one.flat[0]) if _is_one_value(one) else math.nan
    return ConstantLayer(call.layer, None, value, values.shape, None)


def _stays_constant(call):
    given = call.inputs[0][:MOST]
    size = root_mean_square(given.astype("float64")) or 1.0
    generator = np.random.default_rng(0)
    is_float = given.dtype.kind == "f"
    drawn = generator.normal(size=given.shape).astype("float32")
    weights = call.layer.weights
    before = [backend.to_numpy(weight) for weight in weights]
    try:
        for scale in (size, 1.0) * (TRIES // 2):  # a function may be flat far out
            if is_float:  # the present input may differ by a rounding error
                given = np.float32(scale) * drawn
            for weight in weights:
                shape = tuple(weight.shape)
                values = generator.normal(size=shape)
                if len(shape) > 1:  # so that what is added to biases is of order 1
                    values /= scale * math.prod(shape[:-1]) ** 0.5
                if "variance" in weight.path:
                    values = np.abs(values) + 1
                weight.assign(values.astype("float32"))
            again = backend.to_numpy(call.layer(given, training=False))
            if _differs(again.astype("float32"), given):
                return False
    except Exception:  # it takes more than an array, or other weights
        return False
    finally:
        for weight, value in zip(weights, before, strict=True):
            weight.assign(value)
    return True
