"""Observes the statistics of the batches that batch normalization layers are fed."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from keras.layers import BatchNormalization

from keras_trainfix.backend import no_gradient, to_numpy
from keras_trainfix.data import shapes
from keras_trainfix.layers.frozen_batch_norm import FrozenBatchNorm
from keras_trainfix.messages import count
from keras_trainfix.models.batch_norm_layers import all_layers, plain_only


class ObservationError(ValueError):
    """A layer is called where its batches cannot be observed."""


class Statistics(NamedTuple):
    """Size, mean and (population) variance of a set of values, per channel."""

    size: float
    mean: np.ndarray
    variance: np.ndarray

    def merged(self, other: "Statistics") -> "Statistics":
        """The exact statistics of both sets together.

        This is the pooled variance, `E[var] + E[mean^2] - E[mean]^2`, in the form of
        [Chan et al., 1979](https://doi.org/10.1007/978-3-642-51461-6_3), where large
        means do not cancel.
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
def observed(
    layers: list[keras.Layer], by_batch: list[keras.Layer]
) -> Iterator[dict[int, Statistics]]:
    """While open, collects the statistics of everything the layers are called on.

    The layers in `by_batch` normalize with the statistics of the batch, as in
    training, and the others with their moving statistics. The rest of the model, such
    as dropout, is in inference mode, and no moving statistic changes. Only eager calls
    can be observed.

    Args:
        layers: List of batch normalization layers.
        by_batch: List of those that normalize with the statistics of the batch.

    Yields:
        Dict of `id(layer)` to `Statistics`, updated with every call; a layer that is
        never called has no entry.
    """
    ids_by_batch = {id(layer) for layer in by_batch}
    seen: dict[int, Statistics] = {}

    class ObservedBatchNorm(BatchNormalization):
        def call(
            self, inputs: Any, training: bool | None = None, mask: Any = None
        ) -> Any:
            x = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
            size, mean, variance = moments(x, self.axis, mask)
            batch = _on_host(self, size, mean, variance)
            if batch.size:  # 0 if all of it is masked
                before = seen.get(id(self))
                seen[id(self)] = before.merged(batch) if before else batch
            if id(self) not in ids_by_batch:
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


def call_on_batch(model: keras.Layer, x: Any, index: int) -> Any:
    """Calls `model` on the inputs `x` in inference mode.

    Args:
        model: The model.
        x: Array, or list or dict of arrays.
        index: Integer, the number of the batch in error messages.

    Returns:
        The output of the model.

    Raises:
        ValueError: If `x` contains NaN or Inf, or does not fit the model.
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


def uses_batch_statistics(layer: keras.Layer) -> bool:
    """Whether `layer` normalizes with the statistics of the batch in training."""
    return layer.trainable and not isinstance(layer, FrozenBatchNorm)


def layers_by_batch(model: keras.Layer) -> list[BatchNormalization]:
    """The layers of a model that normalize with the batch in training.

    Those that are not built, and subclasses, whose rules are not known, are left out.
    """
    found = [
        layer
        for layer in all_layers(model)
        if isinstance(layer, BatchNormalization) and layer.built
    ]
    with warnings.catch_warnings():  # of the subclasses
        warnings.simplefilter("ignore")
        plain = plain_only(found, stacklevel=2)
    return [layer for layer in plain if uses_batch_statistics(layer)]


def moments(x: Any, axis: int, mask: Any) -> tuple[Any, Any, Any]:
    """Size, mean and variance per channel.

    The two passes are accurate for any mean. On torch `keras.ops.moments` computes
    `E[x^2] - E[x]^2`, which can be negative.

    Args:
        x: Float tensor `(batch, ...)`.
        axis: Integer, the channel axis.
        mask: Boolean tensor of the shape of `x` without the channel axis, or None.

    Returns:
        `(size, mean, variance)`: the number of values per channel, and two tensors
        `(channels,)`.
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


def _aligned(mask: Any, x: Any, axis: int) -> Any:
    """`mask`, which has no channel axis, as numbers in the shape of `x`."""
    weight = ops.expand_dims(ops.cast(mask, x.dtype), axis)
    return ops.broadcast_to(weight, ops.shape(x))


def _on_host(layer: keras.Layer, size: Any, mean: Any, variance: Any) -> Statistics:
    try:
        mean, variance = (
            to_numpy(tensor).astype("float64") for tensor in (mean, variance)
        )
        return Statistics(float(size), mean, variance)
    except Exception as error:
        raise ObservationError(
            f"The batches of layer '{layer.name}' cannot be observed, because the "
            "layer is called inside a compiled function or a scanned RNN. Call the "
            "model eagerly: remove `tf.function` or `jax.jit` from its `call`, or "
            "build the RNN with `unroll=True`."
        ) from error
