"""Every call of a layer in one call of a model: what went in, and what came out."""

import contextlib
import functools
import threading
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.data import mapped
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged
from keras_trainfix.models.batch_norm_layers import all_layers

MOST_KEPT = 2**20  # numbers of one tensor


class LayerCall(NamedTuple):
    """One call of a layer.

    Attributes:
        layer: The `keras.Layer`, tracked by the model or not.
        inputs: Tuple of NumPy arrays `(N, ...)`; text stays text. What cannot be an
            array, such as a ragged tensor, is left out.
        outputs: Tuple of NumPy arrays, in the same way.
        is_leaf: Whether it called no other layer.
    """

    layer: Any
    inputs: tuple[np.ndarray, ...]
    outputs: tuple[np.ndarray, ...]
    is_leaf: bool


class SoftmaxCall(NamedTuple):
    """One softmax, of a layer or of a function.

    Attributes:
        shape: The shape of its input.
        axis: Integer, 0 or more: the axis on which it sums to one.
        layers: Tuple of the layers in which it was called, from the model inwards.
        after: Integer, how many layer calls had ended before.
    """

    shape: tuple[int, ...]
    axis: int
    layers: tuple[Any, ...]
    after: int


class Calls(NamedTuple):
    """What one call of a model did.

    Attributes:
        layers: List of `LayerCall`, in the order in which they ended.
        softmaxes: List of `SoftmaxCall`.
    """

    layers: list[LayerCall]
    softmaxes: list[SoftmaxCall]

    @property
    def leaves(self) -> list[LayerCall]:
        """The calls that called no other layer."""
        return [call for call in self.layers if call.is_leaf]


def calls_of(model: keras.Model, x: Any) -> Calls:
    """Calls `model` in inference mode, and keeps every call of a layer.

    Batch normalization that was never trained uses the statistics of these samples:
    its initial ones would pass on numbers of a scale that training never sees. Weights,
    statistics, random state and compiled functions stay as they are.

    Args:
        model: A built `keras.Model`.
        x: Inputs.

    Returns:
        `Calls`.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # the model's own, which training shows as well
        stack.enter_context(unchanged(model))
        stack.enter_context(backend.no_gradient())
        recorder = _Recorder(model)
        if backend.is_faster_in_one_piece(len(all_layers(model))):
            try:
                return _in_one_piece(recorder, model, x)
            except Exception:  # what it does depends on values
                recorder = _Recorder(model)
        with recorder.active():
            model(x, training=False)
        return recorder.calls(recorder.tensors)


def _in_one_piece(recorder, model, x):
    def call(x):
        with recorder.active():
            model(x, training=False)
        return recorder.tensors

    return recorder.calls(backend.call_in_one_piece(call, model.variables, x))


class _Recorder:
    """Keeps the tensors of each call while it is active."""

    def __init__(self, model):
        self.fresh = {id(n) for n in all_layers(model) if _is_fresh_batch_norm(n)}
        self.ended: list[list] = []  # [layer, is_leaf]
        self.tensors: list[tuple] = []  # (inputs, outputs) of each
        self.softmaxes: list[SoftmaxCall] = []
        self.open: list[list] = []
        self.thread = threading.get_ident()

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        original = keras.Layer.__call__

        @functools.wraps(original)
        def recorded(layer, *args, **kwargs):
            if threading.get_ident() != self.thread or self._is_in_a_loop():
                return original(layer, *args, **kwargs)
            return self._call(original, layer, args, kwargs)

        keras.Layer.__call__ = recorded
        try:
            with backend.watched_softmax(self._softmax):
                yield
        finally:
            keras.Layer.__call__ = original

    def _is_in_a_loop(self):
        """Whether a recurrent layer is calling its cell, once for each step."""
        return bool(self.open) and isinstance(self.open[-1][0], keras.layers.RNN)

    def _call(self, original, layer, args, kwargs):
        if self.open:
            self.open[-1][1] = False
        if id(layer) in self.fresh and len(args) == 1:
            kwargs["training"] = True
        entry = [layer, True]
        self.open.append(entry)
        try:
            output = original(layer, *args, **kwargs)
        finally:
            self.open.pop()
        self.ended.append(entry)
        self.tensors.append((_tensors((args, kwargs)), _tensors(output)))
        return output

    def _softmax(self, shape, axis):
        layers = tuple(layer for layer, _ in self.open)
        if layers and axis is not None and len(shape):
            axis %= len(shape)
            call = SoftmaxCall(tuple(shape), axis, layers, len(self.ended))
            self.softmaxes.append(call)

    def calls(self, tensors) -> Calls:
        layers = [
            LayerCall(layer, _arrays(inputs), _arrays(outputs), is_leaf)
            for (layer, is_leaf), (inputs, outputs) in zip(
                self.ended, tensors, strict=True
            )
        ]
        return Calls(layers, self.softmaxes)


def _is_fresh_batch_norm(layer):
    if not isinstance(layer, keras.layers.BatchNormalization):
        return False
    if not (layer.built and layer.trainable):
        return False
    mean, variance = map(backend.to_numpy, (layer.moving_mean, layer.moving_variance))
    return not mean.any() and bool((variance == 1).all())


def _tensors(structure):
    """The tensors with an axis of samples, as many samples as are kept."""
    found = []

    def keep(leaf):
        try:
            if hasattr(leaf, "shape") and len(leaf.shape) and not _is_unread(leaf):
                found.append(_part(leaf))
        except Exception:  # ragged, sparse: nothing to measure
            pass

    mapped(keep, structure)
    return tuple(found)


def _is_unread(leaf):
    return isinstance(leaf, keras.KerasTensor | keras.Variable)


def _part(tensor):
    if None in tensor.shape[1:]:  # ragged
        return tensor
    return tensor[: max(1, MOST_KEPT // max(int(np.prod(tensor.shape[1:])), 1))]


def _arrays(tensors):
    return tuple(a for a in map(_array, tensors) if a is not None)


def _array(tensor):
    """A NumPy array, floats as float32; None where there is none."""
    try:
        if not backend.is_concrete(tensor):
            return None
        if hasattr(tensor, "to_tensor"):  # ragged: padded behind
            tensor = tensor.to_tensor()
        values = backend.numpy_to_read(tensor)
    except Exception:  # no array: no fault of the model, and nothing to measure
        try:
            values = np.asarray(tensor)
        except Exception:
            return None
    kind = values.dtype.kind
    if kind in "biuOSU":
        return values
    return None if kind == "c" else values.astype("float32", copy=False)
