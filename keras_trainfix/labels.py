"""The one definition of what a label is and of what "void" is.

`read_labels` turns any form of `y_true` into one; losses, metrics and diagnosis work
on its result. Which form arrived is decided by shapes and dtypes, never by values, so
that compiled and eager code agree.
"""

import functools
import numbers
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_trainfix import backend

# Bounds of the labels after reading: beyond them they are clipped, so that no label
# wraps around to another. Neither bound can be a class or an ignored id.
LARGEST = 2**31 - 1

WIDE_INTEGERS = ("uint32", "int64", "uint64")

# Every whole number up to here is a value of its own.
EXACT_UP_TO = {"bfloat16": 2**8, "float16": 2**11, "float32": 2**24, "float64": 2**53}


class Labels(NamedTuple):
    """What `read_labels` returns. All three hold for compiled code as well.

    Attributes:
        values: Either int32 labels of the pixel shape, or float32 (float64 if that
            arrived) rows with one entry a channel on the class axis. 0 where `valid`
            is False, so they can be one-hot encoded or gathered with as they are.
        valid: Boolean tensor of the pixel shape (the shape of `y_pred` without its
            class axis): the pixels that count.
        invalid: Boolean tensor of the pixel shape: the labels that are neither a
            class nor ignored. They are no error in compiled code, so whoever
            compiles has to report `count_invalid`.
    """

    values: Any
    valid: Any
    invalid: Any

    @property
    def sparse(self):
        """Whether `values` are integer labels, and not rows."""
        return len(self.values.shape) == len(self.valid.shape)


def read_labels(
    y_true, shape, ignore_class=255, axis=-1, multi_label=False, check=True
):
    """Reads labels of any form into integer labels or soft rows, and a valid mask.

    With `y_pred` of shape `(N, ..., C)`, `y_true` is one of

    - sparse, `(N, ...)` or `(N, ..., 1)` of any integer or float dtype;
    - one-hot or soft, `(N, ..., C)`, with its classes on the axis of `y_pred`;
    - binary where `C == 1`: `(N, ...)` or `(N, ..., 1)`. Integers are read as labels
      0 and 1, floats as rows of one probability. `y_pred` may lack its class axis
      only where it is `(N,)`: of `(N, H, W)` the last axis is taken for the classes.

    The shape of `y_pred` tells these apart. Where a graph is compiled for unknown
    sizes it may not, and that is an error.

    A sparse or binary label is void where it is an ignored id. A row is void where a
    channel holds an ignored id other than 0 and 1, where its arg-max is an ignored
    class, or where it is all zero, unless `multi_label=True` or `C == 1`.

    Args:
        y_true: Array or tensor of labels.
        shape: The shape of `y_pred`.
        ignore_class: Integer, tuple of integers, or None: ids of void, inside or
            outside the range of the classes. Defaults to `255`.
        axis: Integer, the class axis of `y_pred`. Defaults to `-1`.
        multi_label: Whether a pixel may have several classes or none.
        check: Whether to raise on labels that are neither a class nor ignored, where
            their values can be read. Defaults to `True`.

    Returns:
        `Labels`.

    Raises:
        ValueError: If `y_true` does not fit `shape`, if its dtype cannot hold the
            classes and the ignored ids, if `ignore_class` is no id, or for `check`.

    Example:

    >>> labels = read_labels(np.array([2, 255, 0]), shape=(3, 4))
    >>> [keras.ops.convert_to_numpy(part).tolist() for part in labels]
    [[2, 0, 0], [True, False, True], [False, False, False]]
    """
    ignored = ignored_ids(ignore_class)
    raw = y_true if ops.is_tensor(y_true) else np.asarray(y_true)
    y = _tensor(raw)
    channels, is_rows, squeezed = _form(_static(y.shape), _static(shape), axis)
    num_classes = max(channels, 2)
    if squeezed is not None:
        y = ops.squeeze(y, squeezed)
    if channels == 1 and _is_float(y):
        is_rows, y = True, ops.expand_dims(y, axis)
    _check_exact(y, 2 if is_rows else num_classes, ignored)

    values = y if is_rows and _is_float(y) else _whole(y)
    if is_rows:
        void, known = _read_rows(values, ignored, channels, axis, multi_label)
        values = _wide(values)
    else:
        void = _any_of(values, ignored)
        known = ops.logical_and(values >= 0, values < num_classes)
    valid = ops.logical_and(known, ops.logical_not(void))
    invalid = ops.logical_not(ops.logical_or(known, void))
    if check and backend.is_concrete(invalid) and bool(ops.any(invalid)):
        raise ValueError(
            _what_is_wrong(raw, invalid, is_rows, num_classes, ignored, axis)
        )
    return Labels(mask_predictions(values, valid, axis), valid, invalid)


def count_invalid(labels):
    """The number of labels that are neither a class nor ignored, an int32 tensor."""
    return ops.sum(ops.cast(labels.invalid, "int32"))


def class_ids(labels, axis=-1):
    """`labels` as int32 classes of the pixel shape; 0 where not valid."""
    if labels.sparse:
        return labels.values
    return _arg_max(labels.values, axis)


def class_rows(labels, channels, axis=-1):
    """`labels` as float rows of `channels` entries on `axis`; 0 where not valid."""
    if not labels.sparse:
        return labels.values
    if channels == 1:
        return ops.expand_dims(ops.cast(labels.values, "float32"), axis)
    rows = ops.one_hot(labels.values, channels, axis=axis, dtype="float32")
    return mask_predictions(rows, labels.valid, axis)


def mask_predictions(y_pred, valid, axis=-1):
    """`y_pred` with 0 at void pixels, whatever was there, in the value and gradient.

    Has to come before any arithmetic: 0 times NaN is NaN, `where` afterwards leaves
    NaN in the gradient.

    Args:
        y_pred: Tensor of the shape of `valid`, with or without a class axis.
        valid: Boolean tensor of the pixel shape.
        axis: Integer, the class axis of `y_pred`. Defaults to `-1`.

    Returns:
        Tensor of the shape and dtype of `y_pred`.

    Example:

    >>> valid = np.array([True, False])
    >>> masked = mask_predictions(np.array([[1.0, 2.0], [np.nan, np.inf]]), valid)
    >>> keras.ops.convert_to_numpy(masked).tolist()
    [[1.0, 2.0], [0.0, 0.0]]
    """
    if len(y_pred.shape) > len(valid.shape):
        valid = ops.expand_dims(valid, axis)
    return ops.where(valid, y_pred, 0)


def pixel_weights(sample_weight, valid):
    """One weight a pixel, 0 where it is not valid.

    `sample_weight` broadcasts from the left: its first axis is the batch, the second
    the second axis of `valid`, and so on, so that `(N,)` weighs samples whatever the
    sizes of the images.

    Args:
        sample_weight: Array or tensor of shape `()`, `(N,)`, `(N, 1, 1)`, `(N, H, W)`
            or any other beginning of the pixel shape, with 1 in place of any size and
            one more trailing 1 allowed; or None for 1 everywhere.
        valid: Boolean tensor of the pixel shape.

    Returns:
        Tensor of the pixel shape, float32 (float64 if that arrived).

    Raises:
        ValueError: If `sample_weight` does not fit.

    Example:

    >>> weights = pixel_weights(np.array([2, 3]), np.array([[True, False]] * 2))
    >>> keras.ops.convert_to_numpy(weights).tolist()
    [[2.0, 0.0], [3.0, 0.0]]
    """
    if sample_weight is None:
        return ops.cast(valid, "float32")
    weights = _wide(ops.convert_to_tensor(sample_weight))
    shape, pixels = _static(weights.shape), _static(valid.shape)
    if len(shape) == len(pixels) + 1 and shape[-1] == 1:
        weights, shape = ops.squeeze(weights, -1), shape[:-1]
    ones = (1,) * (len(pixels) - len(shape))
    broadcast = zip(shape, pixels, strict=False)
    if len(shape) > len(pixels) or not all(n == 1 or _same(n, m) for n, m in broadcast):
        raise ValueError(
            "`sample_weight` must have the first axes of the labels, or 1 in their "
            "place: (N,) weighs samples, (N, H, W) pixels. Received: "
            f"sample_weight.shape={shape}, labels of shape {pixels}. To weigh other "
            "axes insert axes of size 1, as in `sample_weight[None, :, None]`."
        )
    for _ in ones:
        weights = ops.expand_dims(weights, -1)
    return ops.where(valid, weights, 0)


def class_weight_vector(class_weight, num_classes):
    """The weights of all classes as a NumPy float32 vector.

    Args:
        class_weight: List, array or tensor with one weight a class; or dict from
            class to weight, where classes left out weigh 1, as in Keras' `fit`.
        num_classes: Integer.

    Returns:
        NumPy array of shape `(num_classes,)`.

    Raises:
        ValueError: If a weight is negative or not finite, if there are too many or
            too few, or if the dict names an unknown class.

    Example:

    >>> class_weight_vector({2: 5}, num_classes=3).tolist()
    [1.0, 1.0, 5.0]
    """
    weights = class_weight
    if isinstance(class_weight, dict):
        unknown = [key for key in class_weight if key not in range(num_classes)]
        if unknown:
            raise ValueError(
                f"`class_weight` must have classes 0 to {num_classes - 1} as its keys. "
                f"Received: class_weight={class_weight}, with unknown classes "
                f"{unknown}. Remove them, or give the model more outputs."
            )
        weights = [class_weight.get(index, 1.0) for index in range(num_classes)]
    elif ops.is_tensor(class_weight):
        weights = backend.to_numpy(class_weight)
    vector = np.asarray(weights, "float32")
    if vector.shape != (num_classes,):
        raise ValueError(
            f"`class_weight` must have one weight for each of the {num_classes} "
            f"classes. Received: class_weight={class_weight} of shape {vector.shape}. "
            "A dict may leave classes out."
        )
    if not np.all(np.isfinite(vector) & (vector >= 0)):
        raise ValueError(
            "`class_weight` must be finite and not negative. Received: "
            f"class_weight={class_weight}. A weight of 0 leaves a class out."
        )
    return vector


def ignored_ids(ignore_class):
    """`ignore_class` as a tuple of distinct integers; empty for None.

    Raises:
        ValueError: If it is not made of integers of 32 bits.
    """
    if ignore_class is None:
        return ()
    is_one = not isinstance(ignore_class, (tuple, list))
    ids = (ignore_class,) if is_one else tuple(ignore_class)
    for index in ids:
        is_integer = isinstance(index, numbers.Integral) and not isinstance(index, bool)
        if not is_integer or abs(int(index)) >= LARGEST:
            raise ValueError(
                "`ignore_class` must be an integer of 32 bits, a tuple of them, or "
                f"None. Received: ignore_class={ignore_class!r}."
            )
    return tuple(dict.fromkeys(map(int, ids)))


def _form(labels, predictions, axis):
    """`(channels, whether y_true is rows, the axis of y_true to squeeze or None)`."""
    received = (
        f"Received: y_true.shape={labels}, y_pred.shape={predictions}, axis={axis}."
    )
    if len(predictions) == 1:
        predictions = (*predictions, 1)
    rank = len(predictions)
    if not -rank <= axis < rank or axis % rank == 0:
        raise ValueError(
            "`axis` must be the class axis of `y_pred`, and not its first axis, the "
            f"batch. {received}"
        )
    axis %= rank
    channels = predictions[axis]
    pixels = predictions[:axis] + predictions[axis + 1 :]
    if channels is None or (len(labels) == rank and labels[axis] is None):
        raise ValueError(
            "The sizes of the class axis of `y_pred` and `y_true` must be known when "
            "the graph is compiled: they tell sparse labels from one-hot ones. "
            f"{received} Use `keras.ops.reshape`, or `set_shape` in a tf.data pipeline."
        )
    if _fits(labels, pixels):
        return channels, False, None
    for squeezed in (axis, rank - 1):
        rest = labels[:squeezed] + labels[squeezed + 1 :]
        if labels[squeezed : squeezed + 1] == (1,) and _fits(rest, pixels):
            return channels, False, squeezed
    if channels > 1 and _fits(labels, predictions):
        return channels, True, None
    raise ValueError(
        f"`y_true` must have shape {pixels} or {(*pixels, 1)} (sparse)"
        + (f" or {predictions} (one-hot)" if channels > 1 else "")
        + f" for this `y_pred`, whose classes are on axis {axis}. {received} Move the "
        "class axis with `keras.ops.moveaxis`, add one that `y_pred` lacks with "
        "`keras.ops.expand_dims`, or give the model as many outputs as `y_true` has "
        "classes."
    )


def _read_rows(rows, ignored, channels, axis, multi_label):
    """`(void, known)` of rows of `channels` entries; a pixel may be both."""
    # Not by minimum and maximum: these may pass over NaN.
    known = ops.all(ops.logical_and(rows >= 0, rows <= 1), axis=axis)
    marked = [index for index in ignored if index not in (0, 1)]
    void = ops.any(_any_of(rows, marked), axis=axis)
    has_class = known
    if channels > 1:
        is_zero = ops.all(rows == 0, axis=axis)
        has_class = ops.logical_and(known, ops.logical_not(is_zero))
        if not multi_label:
            void = ops.logical_or(void, is_zero)
    in_range = [index for index in ignored if index in range(max(channels, 2))]
    if in_range:
        is_ignored = _any_of(_arg_max(rows, axis), in_range)
        void = ops.logical_or(void, ops.logical_and(has_class, is_ignored))
    return void, known


def _arg_max(rows, axis):
    """The int32 class of each row; of a single channel, 1 above one half."""
    if rows.shape[axis] == 1:
        return ops.cast(ops.squeeze(rows > 0.5, axis), "int32")
    return ops.cast(ops.argmax(rows, axis=axis), "int32")


def _any_of(values, ids):
    if not ids:
        return ops.zeros_like(values, dtype="bool")
    return functools.reduce(ops.logical_or, [values == index for index in ids])


def _tensor(raw):
    """Tensor of an array; what has no dtype in some backend is made int32 first."""
    if isinstance(raw, np.ndarray) and raw.dtype in WIDE_INTEGERS:
        raw = np.clip(raw, None if raw.dtype.kind == "u" else -LARGEST, LARGEST)
        raw = raw.astype("int32")
    return ops.convert_to_tensor(raw)


def _whole(y):
    """int32 labels. What int32 cannot hold becomes +-LARGEST, never another label."""
    dtype = keras.backend.standardize_dtype(y.dtype)
    if _is_float(y):
        y = _wide(y)
        is_whole = ops.logical_and(y == ops.floor(y), ops.abs(y) < LARGEST)
        held = ops.cast(ops.where(is_whole, y, 0), "int32")
        return ops.where(is_whole, held, LARGEST)
    if dtype in ("uint32", "uint64"):
        y = ops.cast(y, dtype[1:])
        y = ops.where(y < 0, LARGEST, y)
    if dtype in WIDE_INTEGERS:
        y = ops.clip(y, -LARGEST, LARGEST)
    return ops.cast(y, "int32")


def _check_exact(y, num_classes, ignored):
    dtype = keras.backend.standardize_dtype(y.dtype)
    limit = EXACT_UP_TO.get(dtype, 8)  # what the 8-bit floats hold
    if _is_float(y) and max(num_classes - 1, *map(abs, ignored), 0) > limit:
        raise ValueError(
            "`y_true` must have a dtype that holds every class and ignored id, and "
            f"{dtype} rounds whole numbers above {limit}. Received: "
            f"y_true.dtype={dtype}, num_classes={num_classes}, "
            f"ignore_class={_shown(ignored)}. Keep labels as integers, or as float32."
        )


def _what_is_wrong(raw, invalid, is_rows, num_classes, ignored, axis):
    """The message about labels that are neither a class nor ignored."""
    raw = backend.to_numpy(raw) if ops.is_tensor(raw) else raw
    raw = raw if raw.dtype.kind in "biu" else raw.astype("float64")
    invalid = backend.to_numpy(invalid)
    if raw.size == invalid.size:
        wrong = raw.reshape(invalid.shape)[invalid]
    else:
        wrong = np.moveaxis(raw, axis, -1)[invalid]
    if is_rows:
        wrong = wrong[~((wrong >= 0) & (wrong <= 1))]
    values, counts = np.unique(wrong, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:5]
    digits = "d" if values.dtype.kind in "iu" else ".12g"
    found = ", ".join(f"{values[i]:{digits}} ({counts[i]} times)" for i in most)
    rest = f" and {len(values) - 5} more values" if len(values) > 5 else ""
    expected = (
        "between 0 and 1" if is_rows else f"a class, 0 to {num_classes - 1},"
    ) + f" or ignored, ignore_class={_shown(ignored)}"
    return (
        f"`y_true` must be {expected}. Received: {invalid.sum()} other labels: "
        f"{found}{rest}. {_way_out(raw, values, is_rows, num_classes, ignored)}"
    )


def _way_out(raw, wrong, is_rows, num_classes, ignored):
    if (is_rows or num_classes == 2) and np.isin(raw, (0, 255)).all():
        return (
            "If it is a mask saved as 0 and 255, divide it by 255; if 255 marks void, "
            f"pass ignore_class={_shown((*ignored, 255))}."
        )
    void = tuple(index for index in (255, -1, -100) if index in wrong)
    if void:
        return f"If they mark void, pass ignore_class={_shown((*ignored, *void))}."
    if is_rows:
        return "One-hot and soft labels are probabilities: rescale `y_true`."
    if not np.array_equal(wrong, np.floor(wrong)) or not np.isfinite(wrong).all():
        return (
            "Sparse labels are whole numbers: do not rescale them, and resize masks "
            "with interpolation='nearest'."
        )
    if wrong[-1] == num_classes and not (raw == 0).any():
        return "If `y_true` counts classes from 1, subtract 1."
    if wrong[0] < 0:
        return "If they mark void, add them to `ignore_class`."
    return (
        f"If they are classes, the model needs {int(wrong[-1]) + 1} outputs "
        "(num_classes too small); if they mark void, add them to `ignore_class`."
    )


def _shown(ids):
    return ids[0] if len(ids) == 1 else ids or None


def _is_float(y):
    return "float" in keras.backend.standardize_dtype(y.dtype)


def _wide(y):
    is_float64 = keras.backend.standardize_dtype(y.dtype) == "float64"
    return y if is_float64 else ops.cast(y, "float32")


def _static(shape):
    try:
        return tuple(shape)
    except ValueError as error:  # TensorFlow's shape of an unknown rank
        raise ValueError(
            "The number of axes of `y_true`, `y_pred` and `sample_weight` must be "
            f"known when the graph is compiled. Received: shape={shape}. Use "
            "`keras.ops.reshape`, or `set_shape` in a tf.data pipeline."
        ) from error


def _same(size, other):
    """Whether two static sizes may be equal; None is unknown."""
    return size is None or other is None or size == other


def _fits(shape, other):
    return len(shape) == len(other) and all(map(_same, shape, other))
