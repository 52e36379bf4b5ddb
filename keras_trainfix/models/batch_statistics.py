"""Seeing the statistics of each batch where batch normalization layers see them."""

import contextlib
from typing import NamedTuple

import keras
import numpy as np
from keras import ops
from keras.layers import BatchNormalization

from keras_trainfix.backend import no_gradient, to_numpy
from keras_trainfix.data import shapes
from keras_trainfix.layers.frozen_batch_norm import FrozenBatchNorm
from keras_trainfix.messages import count


class ObservationError(ValueError):
    """A layer is called where its batches cannot be seen."""


class Statistics(NamedTuple):
    """Size, mean and (population) variance of a set of values, per channel."""

    size: float
    mean: np.ndarray
    variance: np.ndarray

    def merged(self, other):
        """The statistics of both sets together, exactly and without cancellation.

        This is the pooled variance, `E[var] + E[mean^2] - E[mean]^2`, written so
        that large means do not cancel (Chan et al., 1979).
        """
        size = self.size + other.size
        share = other.size / size
        shift = other.mean - self.mean
        return Statistics(
            size,
            self.mean + shift * share,
            self.variance * (1 - share)
            + other.variance * share
            + shift**2 * share * (1 - share),
        )


@contextlib.contextmanager
def observed(layers, by_batch):
    """While open, collects the statistics of all that the layers are called on.

    Those of the layers that are in `by_batch` normalize by the batch, as in
    training; the others by their moving statistics. Nothing else about the model
    is in training mode (no dropout, for one), and no moving statistic changes.
    Only eager calls can be observed.

    Yields:
        Dict of `id(layer)` to `Statistics`, which grows with every call; a layer
        that is not called has no entry.
    """
    by_batch = {id(layer) for layer in by_batch}
    seen: dict[int, Statistics] = {}

    class ObservedBatchNorm(BatchNormalization):
        def call(self, inputs, training=None, mask=None):
            x = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
            size, mean, variance = moments(x, self.axis, mask)
            batch = _on_host(self, size, mean, variance)
            if batch.size:  # not all of it masked
                before = seen.get(id(self))
                seen[id(self)] = before.merged(batch) if before else batch
            if id(self) not in by_batch:
                return super().call(inputs, training=False)
            shape = [1] * len(x.shape)
            shape[self.axis] = -1
            y = (x - ops.reshape(mean, shape)) * ops.reshape(
                ops.rsqrt(variance + self.epsilon), shape
            )
            if self.scale:
                y = y * ops.reshape(ops.cast(self.gamma, x.dtype), shape)
            if self.center:
                y = y + ops.reshape(ops.cast(self.beta, x.dtype), shape)
            return ops.cast(y, self.compute_dtype)

    originals = {id(layer): type(layer) for layer in layers}
    try:
        for layer in layers:
            layer.__class__ = ObservedBatchNorm
        with no_gradient():
            yield seen
    finally:
        for layer in layers:
            layer.__class__ = originals[id(layer)]


def call_on_batch(model, x, index):
    """Calls `model` on the inputs `x` in inference mode, with errors that explain.

    Args:
        model: The model.
        x: Array, or list or dict of arrays.
        index: Integer, the number of the batch, for messages.

    Returns:
        The output of the model.

    Raises:
        ValueError: If `x` has NaN or Inf, or does not fit the model.
    """
    for leaf in keras.tree.flatten(x):
        values = to_numpy(leaf)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            bad = int(np.size(values) - np.isfinite(values).sum())
            raise ValueError(
                "The inputs must be finite. Received: "
                f"{count(bad, 'value')} NaN or Inf in batch {index} of shape "
                f"{values.shape}. The model is unchanged."
            )
    try:
        return model(x, training=False)
    except ObservationError:
        raise
    except Exception as error:
        raise ValueError(
            "The inputs must fit the model. Received: batch "
            f"{index} of shape {shapes(x)}, model.input_shape="
            f"{getattr(model, 'input_shape', 'unknown')}. The model is "
            f"unchanged. The call failed with: {error}"
        ) from error


def uses_batch_statistics(layer):
    """Whether `layer` normalizes by the batch in training."""
    return layer.trainable and not isinstance(layer, FrozenBatchNorm)


def moments(x, axis, mask):
    """Size, mean and variance per channel, in two passes: no large mean can cancel.

    torch's own `moments` computes E[x^2] - E[x]^2, which goes negative.
    """
    axes = [i for i in range(len(x.shape)) if i != axis % len(x.shape)]
    if mask is None:
        size = np.prod([x.shape[i] for i in axes])
        mean = ops.mean(x, axes, keepdims=True)
        variance = ops.mean(ops.square(x - mean), axes)
    else:
        weight = _aligned(mask, x, axis)
        size = ops.sum(weight) / x.shape[axis]
        divisor = ops.maximum(size, 1)
        mean = ops.sum(ops.where(weight > 0, x, 0), axes, keepdims=True) / divisor
        deviation = ops.where(weight > 0, x - mean, 0)
        variance = ops.sum(ops.square(deviation), axes) / divisor
    return size, ops.reshape(mean, (-1,)), ops.reshape(variance, (-1,))


def _aligned(mask, x, axis):
    """`mask`, which lacks the channel axis of `x`, as numbers in the shape of `x`."""
    weight = ops.expand_dims(ops.cast(mask, x.dtype), axis)
    return ops.broadcast_to(weight, ops.shape(x))


def _on_host(layer, size, mean, variance):
    try:
        mean, variance = (
            to_numpy(tensor).astype("float64") for tensor in (mean, variance)
        )
        return Statistics(float(size), mean, variance)
    except Exception as error:
        raise ObservationError(
            f"The batches of layer '{layer.name}' cannot be seen, because the layer is "
            "called inside a compiled function or a scanned RNN. Call the model "
            "eagerly: drop `tf.function`/`jax.jit` from its `call`, or build the RNN "
            "with `unroll=True`."
        ) from error
