"""What the layers of a model give for a few samples, in the order in which they run."""

import contextlib
import random
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.diagnosis.observe.generators import unmoved
from keras_trainfix.keras_internals import (
    added_losses,
    child_layers,
    restore_added_losses,
)
from keras_trainfix.models.batch_norm_layers import all_layers

MOST_KEPT = 2**22  # numbers of an output that are looked at


class LayerOutput(NamedTuple):
    """One call of a layer that has no layers in it.

    Attributes:
        layer: The `keras.Layer`.
        values: NumPy array `(N, ...)` of its output: float32 or integers, as many
            samples as `MOST_KEPT` allows. Outputs that are no such array, such as
            text and ragged tensors, are left out.
    """

    layer: Any
    values: np.ndarray

    @property
    def is_finite(self) -> bool:
        """Whether there is neither NaN nor Inf."""
        return bool(np.isfinite(self.values).all())


def layer_outputs(
    model: keras.Model, x: Any, training: bool = False
) -> tuple[Any, list[LayerOutput]]:
    """Calls `model` and keeps what each layer gives.

    Weights, statistics, random state and compiled functions stay as they are.

    Args:
        model: A built `keras.Model`.
        x: Inputs.
        training: Whether dropout and batch normalization act as in training.

    Returns:
        `(y, outputs)`: what the model gives, and a list of `LayerOutput` in the order
        of the calls; a layer that is shared has several.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # the model's own, which training shows as well
        stack.enter_context(unchanged(model))
        stack.enter_context(backend.no_gradient())
        y, seen = _call(model, x, training)
    return keras.tree.map_structure(as_numpy, y), seen


def _call(model, x, training):
    leaves = leaf_layers(model)
    if backend.is_faster_in_one_piece(len(leaves)):
        try:
            return _call_in_one_piece(model, leaves, x, training)
        except Exception:  # what it does depends on values, or it hides calls in loops
            pass
    seen: list[LayerOutput] = []

    def keep(layer, tensor):
        values = _numbers(tensor)
        if values is not None:
            seen.append(LayerOutput(layer, values))

    with _recorded(leaves, keep):
        return model(x, training=training), seen


def _call_in_one_piece(model, leaves, x, training):
    called = []

    def call(x):
        tensors = []

        def keep(layer, tensor):
            if len(tensor.shape):
                called.append(layer)
                tensors.append(_part(tensor))

        with _recorded(leaves, keep):
            return model(x, training=training), tensors

    y, tensors = backend.call_in_one_piece(call, model.variables, x)
    arrays = map(as_numpy, tensors)
    return y, [LayerOutput(*pair) for pair in zip(called, arrays, strict=True)]


@contextlib.contextmanager
def unchanged(model: keras.Model, weights: bool = False) -> Iterator[None]:
    """Puts back, in the end, what a call may change: states, statistics, seeds.

    Args:
        model: A built `keras.Model`.
        weights: Whether to put back the trainable weights and the metrics as well.
    """
    variables = [*model.non_trainable_variables, *seeds_of(model)]
    if weights:
        variables += [*model.trainable_variables, *model.metrics_variables]
    before = [(v, backend.to_numpy(v)) for v in variables]
    losses = [(layer, added_losses(layer)) for layer in all_layers(model)]
    generators = random.getstate(), np.random.get_state()
    try:
        with backend.same_random_state(), unmoved(all_layers(model)):
            yield
    finally:
        random.setstate(generators[0])
        np.random.set_state(generators[1])
        for layer, added in losses:
            restore_added_losses(layer, added)
        for variable, value in before:
            if not np.array_equal(backend.to_numpy(variable), value):
                variable.assign(value)


@contextlib.contextmanager
def untouched(model: keras.Model) -> Iterator[None]:
    """While open, calls and losses leave no trace on the model.

    Args:
        model: A built `keras.Model`.
    """
    with (
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
        unchanged(model, weights=True),
        backend.own_compiled_loss(model),
    ):
        warnings.simplefilter("ignore")
        yield


def seeds_of(model: keras.Model) -> list[keras.Variable]:
    """The states of the random generators that a call of a model advances."""
    seeds = [v for v in model.variables if "seed" in v.path.lower()]
    return [*seeds, *backend.global_seeds()]


@contextlib.contextmanager
def _recorded(leaves, keep):
    """While open, calls `keep(layer, tensor)` with what the layers give."""
    originals = {}

    def recording(layer, call):
        def call_and_keep(*args, **kwargs):
            output = call(*args, **kwargs)
            for leaf in keras.tree.flatten(output):
                if ops.is_tensor(leaf):
                    keep(layer, leaf)
            return output

        return call_and_keep

    try:
        for layer in leaves:
            originals[id(layer)] = layer.__dict__.get("call")
            layer.__dict__["call"] = recording(layer, layer.call)
        yield
    finally:
        for layer in leaves:
            if originals.get(id(layer)) is None:
                layer.__dict__.pop("call", None)
            else:
                layer.__dict__["call"] = originals[id(layer)]


def leaf_layers(model: keras.Layer) -> list[keras.Layer]:
    """The layers without layers in them; a recurrent one counts as a whole."""
    layers = all_layers(model)
    recurrent = [layer for layer in layers if isinstance(layer, keras.layers.RNN)]
    cells = {id(cell) for layer in recurrent for cell in all_layers(layer)[1:]}
    return [
        layer
        for layer in layers
        if id(layer) not in cells and (not child_layers(layer) or layer in recurrent)
    ]


def _part(tensor):
    """As many samples of a tensor as are kept."""
    return tensor[: max(1, MOST_KEPT // max(int(np.prod(tensor.shape[1:])), 1))]


def _numbers(tensor: Any) -> np.ndarray | None:
    """The values of a tensor of samples; None if it is text, ragged, sparse, ..."""
    try:
        if not len(tensor.shape) or not backend.is_concrete(tensor):
            return None
        values = backend.numpy_to_read(_part(tensor))
    except Exception:  # no array: no fault of the model, and nothing to measure
        return None
    return None if values.dtype.kind in "OSUc" else _as_float32(values)


def as_numpy(tensor: Any) -> np.ndarray:
    """A tensor as NumPy array, floats as float32."""
    return _as_float32(backend.numpy_to_read(tensor))


def _as_float32(array: np.ndarray) -> np.ndarray:
    """Floats, also of dtypes that NumPy lacks, as float32; integers as they are."""
    return array if array.dtype.kind in "biu" else array.astype("float32", copy=False)
