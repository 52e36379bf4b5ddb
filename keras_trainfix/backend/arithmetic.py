"""Arithmetic on rows of class scores, in as few passes as each backend allows."""

import keras

from keras_trainfix.backend.tensors import Tensor, is_concrete, on_cpu


def product(x: Tensor, y: Tensor) -> Tensor:
    """`x @ y` in the precision of its arguments.

    On CPU a matrix product is several times faster than a multiplication and a sum
    over a short axis. Accelerators by default round its factors to 8 or 11 bits.

    Args:
        x: Float tensor `(..., N, K)`.
        y: Float tensor `(..., K, M)`.

    Returns:
        Float tensor `(..., N, M)`.
    """
    if on_cpu(x):
        return x @ y  # `keras.ops.matmul` casts float64 to float32
    y = keras.ops.swapaxes(y, -1, -2)
    terms = keras.ops.expand_dims(x, -2) * keras.ops.expand_dims(y, -3)
    return keras.ops.sum(terms, axis=-1)


def maximum(x: Tensor, y: Tensor) -> Tensor:
    """The larger of two float tensors, element by element.

    On torch `keras.ops.maximum` casts float64 to float32.

    Args:
        x: Float tensor.
        y: Float tensor of the same dtype, whose shape broadcasts.

    Returns:
        Float tensor.
    """
    if keras.backend.backend() == "torch":
        import torch

        return torch.maximum(x, y)
    return keras.ops.maximum(x, y)


def softmax(
    logits: Tensor, ids: Tensor, log: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """The softmax of each row, and its entry at `ids`, in as few passes as possible.

    Args:
        logits: Float tensor `(..., C)`.
        ids: Integer tensor `(...)`, the class of each row.
        log: Boolean, whether to return the logarithm of the entry. Defaults to `True`.

    Returns:
        `(at_ids, exps, scale)` of shape `(...)`, `(..., C)` and `(...)`: the
        probabilities are `exps * scale`. `exps` is finite; for a row of logits with NaN
        the other two are NaN.
    """
    ops = keras.ops
    if keras.backend.backend() == "torch":
        return _torch_softmax(logits, ids, log)
    highest = ops.max(logits, axis=-1, keepdims=True)
    exps = ops.exp(logits - highest)
    total = ops.squeeze(product(exps, ops.ones((exps.shape[-1], 1), exps.dtype)), -1)
    if log:
        at_ids = at_class(logits, ids) - ops.squeeze(highest, -1) - ops.log(total)
    else:
        at_ids = at_class(exps, ids) / total
    # Nothing is infinite: one pass instead of the three of `nan_to_num`.
    return at_ids, ops.where(ops.isnan(exps), ops.zeros_like(exps), exps), 1 / total


def _torch_softmax(
    logits: Tensor, ids: Tensor, log: bool
) -> tuple[Tensor, Tensor, Tensor]:
    import torch

    logits = logits.contiguous()  # which they are not if the classes came first
    if logits.device.type == "cpu" and is_concrete(logits):
        # The maximum of each row would take longer than all the rest, and is rarely
        # needed. NaN fails the comparison.
        exps = logits.exp()
        total = exps @ exps.new_ones(exps.shape[-1])
        if torch.all((total > 1e-13) & (total < 1e13)):
            scale = 1 / total
            if log:
                at_ids = (at_class(logits, ids) - total.log_()).clamp_(max=0)
            else:
                at_ids = at_class(exps, ids) * scale
            return at_ids, exps, scale
    exps = logits.log_softmax(-1) if log else logits.softmax(-1)
    at_ids = at_class(exps, ids)
    exps = exps.exp_() if log else exps
    scale = at_ids.new_ones(()).where(~at_ids.isnan(), at_ids)
    return at_ids, exps.nan_to_num_(), scale


def scaled_and_shifted(slopes: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    """`weights * slopes + offsets` for each pixel and class.

    Args:
        slopes: Float tensor `(N, C)`.
        weights: Float tensor `(N, K, L)`.
        offsets: Float tensor `(N, K, L)`.

    Returns:
        Float tensor `(N, K, L, C)`.
    """
    ops = keras.ops
    if keras.backend.backend() == "torch" and on_cpu(slopes):
        factors = ops.stack([weights, offsets], axis=-1)
        rows = ops.stack([slopes, slopes.new_ones(slopes.shape)], axis=1)
        return factors.flatten(1, 2).bmm(rows).unflatten(1, offsets.shape[1:])
    weighted = ops.expand_dims(weights, -1) * slopes[:, None, None, :]
    return weighted + ops.expand_dims(offsets, -1)


def at_class(rows: Tensor, ids: Tensor) -> Tensor:
    """The entry of each row at its class.

    On torch `keras.ops.take_along_axis` would check the bounds and copy.

    Args:
        rows: Tensor `(..., C)`.
        ids: Integer tensor `(...)`.

    Returns:
        Tensor `(...)`.
    """
    ids = keras.ops.expand_dims(ids, -1)
    if keras.backend.backend() == "torch":
        return rows.gather(-1, ids.long()).squeeze(-1)
    return keras.ops.squeeze(keras.ops.take_along_axis(rows, ids, axis=-1), -1)


def of_class(values: Tensor, ids: Tensor) -> Tensor:
    """For each pixel the value of its class in its image: `values[n, ids[n, ...]]`.

    Args:
        values: Tensor `(N, C)`.
        ids: Integer tensor `(N, ...)`.

    Returns:
        Tensor `(N, ...)`.
    """
    ops = keras.ops
    shape = ops.shape(ids)
    ids = ops.reshape(ids, (shape[0], -1))
    if keras.backend.backend() == "torch":
        return values.gather(1, ids.long()).reshape(shape)
    return ops.reshape(ops.take_along_axis(values, ids, axis=1), shape)


def add_at_class(rows: Tensor, ids: Tensor, values: Tensor) -> Tensor:
    """Adds a value to one entry of each row; may reuse the memory of `rows`.

    Args:
        rows: Tensor `(..., C)`.
        ids: Integer tensor `(...)`, the entry of each row.
        values: Tensor `(...)`.

    Returns:
        Tensor `(..., C)`.
    """
    ids, values = keras.ops.expand_dims(ids, -1), keras.ops.expand_dims(values, -1)
    if keras.backend.backend() == "torch":
        return rows.scatter_add_(-1, ids.long(), values)
    here = keras.ops.arange(rows.shape[-1], dtype=ids.dtype) == ids
    return keras.ops.where(here, rows + values, rows)


def sums_by_class(values: Tensor, ids: Tensor, num_classes: int) -> Tensor:
    """The sum over the last axis of the values of each class.

    Args:
        values: Tensor `(..., N)`.
        ids: Integer tensor `(..., N)`, the class of each value.
        num_classes: Integer C, the number of classes.

    Returns:
        Tensor `(..., C)`.
    """
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


def arg_max(scores: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The index of the highest score, and whether the score there is NaN.

    This takes one pass; `keras.ops.argmax` takes several to tell -0.0 from 0.0.

    Args:
        scores: Float tensor of any shape.
        axis: Integer, the axis of the classes.

    Returns:
        `(ids, is_nan)` without that axis. TensorFlow may miss NaN in a row that also
        has other scores.
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


def count_ids(ids: Tensor, length: int) -> Tensor:
    """Counts how often each of `0 ... length - 1` occurs, exactly below 2**31.

    Args:
        ids: Integer tensor of any shape, with values in `[0, length)`.
        length: Integer.

    Returns:
        Integer tensor `(length,)`.
    """
    ops = keras.ops
    ids = ops.reshape(ids, (-1,))
    if keras.backend.backend() == "torch":
        if ids.device.type == "meta":  # has no `bincount`
            return ids.new_zeros(length)
        return ids.bincount(minlength=length)
    return ops.segment_sum(ops.ones_like(ids, "int32"), ids, length)
