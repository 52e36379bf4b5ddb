"""What the layers of a model give for a few samples, in the order in which they run."""

import contextlib
import warnings
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.models.batch_norm_layers import all_layers

MOST_KEPT = 2**22  # numbers of an output that are looked at


class LayerOutput(NamedTuple):
    """One call of a layer that has no layers in it.

    Attributes:
        layer: The `keras.Layer`.
        values: NumPy array of its output, `(N, ...)`: float32, or as many samples as
            `MOST_KEPT` allows.
    """

    layer: Any
    values: np.ndarray

    @property
    def units(self):
        """`values` as `(samples and places, units)`."""
        return self.values.reshape(-1, self.values.shape[-1])

    @property
    def dead_share(self):
        """Share of the units that are 0 for every sample at every place."""
        return float((self.units == 0).all(0).mean())

    @property
    def constant_share(self):
        """Share of the units that are the same for all samples and places."""
        return float((self.units == self.units[:1]).all(0).mean())

    @property
    def is_finite(self):
        """Whether there is neither NaN nor Inf."""
        return bool(np.isfinite(self.values).all())


def layer_outputs(model, x):
    """Calls `model` in inference mode and keeps what each layer gives.

    Weights, statistics, random state and compiled functions stay as they are.

    Args:
        model: A built `keras.Model`.
        x: Inputs.

    Returns:
        `(y, outputs)`: what the model gives, and a list of `LayerOutput` in the order
        of the calls; a layer that is shared has several.
    """
    seen: list[LayerOutput] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # the model's own, which training shows as well
        for context in (
            _recorded(model, seen),
            unchanged(model),
            backend.no_gradient(),
        ):
            stack.enter_context(context)
        y = model(x, training=False)
    return keras.tree.map_structure(_as_numpy, y), seen


@contextlib.contextmanager
def unchanged(model):
    """Puts back, in the end, what a call may change: states, statistics, seeds."""
    before = [(v, backend.to_numpy(v)) for v in model.non_trainable_variables]
    before += [(v, backend.to_numpy(v)) for v in _seeds(model)]
    try:
        yield
    finally:
        for variable, value in before:
            if not np.array_equal(backend.to_numpy(variable), value):
                variable.assign(value)


def _seeds(model):
    return [v for v in model.variables if "seed" in v.path.lower()]


@contextlib.contextmanager
def _recorded(model, seen):
    """While open, adds what the layers give to `seen`."""
    leaves = [layer for layer in all_layers(model) if not layer._layers]
    originals = {}

    def recording(layer, call):
        def call_and_keep(*args, **kwargs):
            output = call(*args, **kwargs)
            for leaf in keras.tree.flatten(output):
                if ops.is_tensor(leaf) and backend.is_concrete(leaf):
                    seen.append(LayerOutput(layer, _as_numpy(_part(leaf))))
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


def _part(tensor):
    size = int(np.prod(tensor.shape[1:])) if len(tensor.shape) else 1
    return tensor[: max(1, MOST_KEPT // max(size, 1))] if len(tensor.shape) else tensor


def _as_numpy(tensor):
    array = backend.to_numpy(tensor)
    return array if array.dtype.kind in "biu" else array.astype("float32")
