"""Arithmetic on rows of class scores, in as few passes as each backend allows."""

import keras

from keras_trainfix.backend.tensors import is_concrete, on_cpu


def product(x, y):
    """`x @ y` in the precision of its arguments.

    On CPU that is several times faster than multiplying and adding up along a short
    axis. Accelerators round the factors of a product, by default, to 8 or 11 bits.
    """
    if on_cpu(x):
        return x @ y  # `keras.ops.matmul` makes float32 of float64
    y = keras.ops.swapaxes(y, -1, -2)
    terms = keras.ops.expand_dims(x, -2) * keras.ops.expand_dims(y, -3)
    return keras.ops.sum(terms, axis=-1)


def softmax(logits, ids, log=True):
    """The softmax of each row, and its entry at `ids`, in as few passes as can be.

    Args:
        logits: Float tensor with the classes on its last axis.
        ids: Integer tensor of the shape of `logits` without it.
        log: Whether to return the logarithm of the entry.

    Returns:
        `(at_ids, parts, share)`, where the probabilities are `parts * share`. `parts`
        are finite; of logits that are NaN the other two are NaN.
    """
    ops = keras.ops
    if keras.backend.backend() == "torch":
        return _torch_softmax(logits, ids, log)
    highest = ops.max(logits, axis=-1, keepdims=True)
    parts = ops.exp(logits - highest)
    total = ops.squeeze(product(parts, ops.ones((parts.shape[-1], 1), parts.dtype)), -1)
    if log:
        at_ids = at_class(logits, ids) - ops.squeeze(highest, -1) - ops.log(total)
    else:
        at_ids = at_class(parts, ids) / total
    return at_ids, ops.nan_to_num(parts), 1 / total


def _torch_softmax(logits, ids, log):
    import torch

    logits = logits.contiguous()  # not so where the classes came first
    if logits.device.type == "cpu" and is_concrete(logits):
        # A maximum for each row would take longer than all the rest, and is rarely
        # needed. NaN fails the comparison.
        parts = logits.exp()
        total = parts @ parts.new_ones(parts.shape[-1])
        if torch.all((total > 1e-13) & (total < 1e13)):
            share = 1 / total
            if log:
                at_ids = (at_class(logits, ids) - total.log_()).clamp_(max=0)
            else:
                at_ids = at_class(parts, ids) * share
            return at_ids, parts, share
    parts = logits.log_softmax(-1) if log else logits.softmax(-1)
    at_ids = at_class(parts, ids)
    parts = parts.exp_() if log else parts
    share = at_ids.new_ones(()).where(~at_ids.isnan(), at_ids)
    return at_ids, parts.nan_to_num_(), share


def scaled_and_shifted(slopes, weights, offsets):
    """`weights * slopes + offsets` of each pixel and class.

    Args:
        slopes: Tensor `(N, C)`.
        weights: Tensor `(N, K, L)`.
        offsets: Tensor `(N, K, L)`.

    Returns:
        Tensor `(N, K, L, C)`.
    """
    ops = keras.ops
    if keras.backend.backend() == "torch" and on_cpu(slopes):
        factors = ops.stack([weights, offsets], axis=-1)
        rows = ops.stack([slopes, slopes.new_ones(slopes.shape)], axis=1)
        return factors.flatten(1, 2).bmm(rows).unflatten(1, offsets.shape[1:])
    weighted = ops.expand_dims(weights, -1) * slopes[:, None, None, :]
    return weighted + ops.expand_dims(offsets, -1)


def at_class(rows, ids):
    """`rows[..., ids]`: of each row on the last axis the entry of its class.

    `keras.ops.take_along_axis` would check the bounds and, on torch, copy.
    """
    ids = keras.ops.expand_dims(ids, -1)
    if keras.backend.backend() == "torch":
        return rows.gather(-1, ids.long()).squeeze(-1)
    return keras.ops.squeeze(keras.ops.take_along_axis(rows, ids, axis=-1), -1)


def of_class(values, ids):
    """`values[n, ids[n, ...]]`: for each pixel the value of its class in its image."""
    ops = keras.ops
    shape = ops.shape(ids)
    ids = ops.reshape(ids, (shape[0], -1))
    if keras.backend.backend() == "torch":
        return values.gather(1, ids.long()).reshape(shape)
    return ops.reshape(ops.take_along_axis(values, ids, axis=1), shape)


def add_at_class(rows, ids, values):
    """Adds a value to one entry of each row; may reuse the memory of `rows`."""
    ids, values = keras.ops.expand_dims(ids, -1), keras.ops.expand_dims(values, -1)
    if keras.backend.backend() == "torch":
        return rows.scatter_add_(-1, ids.long(), values)
    here = keras.ops.arange(rows.shape[-1], dtype=ids.dtype) == ids
    return keras.ops.where(here, rows + values, rows)


def sums_by_class(values, ids, num_classes):
    """The sums, over the last axis, of the values of each class, as a new last axis."""
    ops = keras.ops
    shape, length = ops.shape(values)[:-1], ops.shape(values)[-1]
    if keras.backend.backend() == "torch":
        return values.new_zeros((*shape, num_classes)).scatter_add_(
            -1, ids.long(), values
        )
    ids = ops.reshape(ids, (-1, length))
    groups = ops.shape(ids)[0]
    ids = ids + num_classes * ops.expand_dims(ops.arange(groups, dtype="int32"), -1)
    sums = ops.segment_sum(
        ops.reshape(values, (-1,)), ops.reshape(ids, (-1,)), groups * num_classes
    )
    return ops.reshape(sums, (*shape, num_classes))


def arg_max(scores, axis):
    """The index of the highest score, and whether a score that high is NaN.

    A single pass: `keras.ops.argmax` makes several to tell -0.0 from 0.0. Of a row with
    some NaN, TensorFlow may see the others only.
    """
    ops = keras.ops
    backend = keras.backend.backend()
    if backend == "torch":
        values, ids = scores.max(axis)
        return ids, values.isnan()
    if backend == "tensorflow":
        import tensorflow as tf

        ids = tf.argmax(scores, axis, output_type="int32")
    else:
        import jax.numpy as jnp

        ids = jnp.argmax(scores, axis).astype("int32")
    values = ops.take_along_axis(scores, ops.expand_dims(ids, axis), axis=axis)
    return ids, ops.isnan(ops.squeeze(values, axis))


def count_ids(ids, length):
    """How often each of `0 ... length - 1` occurs in `ids`, exactly, below 2**31."""
    ops = keras.ops
    ids = ops.reshape(ids, (-1,))
    if keras.backend.backend() == "torch":
        if ids.device.type == "meta":  # which has no `bincount`
            return ids.new_zeros(length)
        return ids.bincount(minlength=length)
    return ops.segment_sum(ops.ones_like(ids, "int32"), ids, length)
