"""Labels of any dtype as numbers that every backend holds exactly."""

import keras
import numpy as np
from keras import ops

from keras_trainfix.labels.messages import shown

# Bounds of the labels after reading: beyond them they are clipped, so that no label
# wraps around to another. Neither bound can be a class or an ignored id.
LARGEST = 2**31 - 1
WIDE_INTEGERS = ("uint32", "int64", "uint64")
# Every whole number up to here is a value of its own.
EXACT_UP_TO = {"bfloat16": 2**8, "float16": 2**11, "float32": 2**24, "float64": 2**53}


def as_tensor(raw):
    """Tensor of an array; what has no dtype in some backend is made int32 first."""
    if isinstance(raw, np.ndarray) and raw.dtype in WIDE_INTEGERS:
        raw = np.clip(raw, None if raw.dtype.kind == "u" else -LARGEST, LARGEST)
        raw = raw.astype("int32")
    return ops.convert_to_tensor(raw)


def whole(y):
    """int32 labels. What int32 cannot hold becomes +-LARGEST, never another label."""
    dtype = keras.backend.standardize_dtype(y.dtype)
    if is_float(y):
        y = wide(y)
        iswhole = ops.logical_and(y == ops.floor(y), ops.abs(y) < LARGEST)
        held = ops.cast(ops.where(iswhole, y, 0), "int32")
        return ops.where(iswhole, held, LARGEST)
    if dtype in ("uint32", "uint64"):
        y = ops.cast(y, dtype[1:])
        y = ops.where(y < 0, LARGEST, y)
    if dtype in WIDE_INTEGERS:
        y = ops.clip(y, -LARGEST, LARGEST)
    return ops.cast(y, "int32")


def check_exact(y, num_classes, ignored):
    """Raises where a dtype of floats rounds some class or ignored id to another."""
    dtype = keras.backend.standardize_dtype(y.dtype)
    limit = EXACT_UP_TO.get(dtype, 8)  # what the 8-bit floats hold
    if is_float(y) and max(num_classes - 1, *map(abs, ignored), 0) > limit:
        raise ValueError(
            "`y_true` must have a dtype that holds every class and ignored id, and "
            f"{dtype} rounds whole numbers above {limit}. Received: "
            f"y_true.dtype={dtype}, num_classes={num_classes}, "
            f"ignore_class={shown(ignored)}. Keep labels as integers, or as float32."
        )


def is_float(y):
    """Whether the dtype is one of floats."""
    return "float" in keras.backend.standardize_dtype(y.dtype)


def wide(y):
    """`y` as float32, or as it is where it is float64."""
    is_float64 = keras.backend.standardize_dtype(y.dtype) == "float64"
    return y if is_float64 else ops.cast(y, "float32")
