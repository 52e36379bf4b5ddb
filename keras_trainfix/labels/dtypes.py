"""Labels of any dtype as numbers that every backend holds exactly."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_trainfix.labels.messages import LabelError, not_numbers_message, shown
from keras_trainfix.labels.types import Tensor

# Labels are clipped to +-LARGEST, so that none wraps around to another. Neither bound
# can be a class or an ignored id.
LARGEST = 2**31 - 1
WIDE_INTEGERS = ("uint32", "int64", "uint64")
# Up to here, each dtype represents every whole number exactly.
EXACT_UP_TO = {"bfloat16": 2**8, "float16": 2**11, "float32": 2**24, "float64": 2**53}


def as_tensor(raw: Any) -> Tensor:
    """`raw` as a tensor; integer dtypes that some backend lacks become int32."""
    if isinstance(raw, np.ndarray) and raw.dtype in WIDE_INTEGERS:
        raw = np.clip(raw, None if raw.dtype.kind == "u" else -LARGEST, LARGEST)
        raw = raw.astype("int32")
    return ops.convert_to_tensor(raw)


def check_numbers(y: Any) -> None:
    """Raises if an array or tensor holds text, or objects."""
    dtype = y.dtype
    if isinstance(dtype, np.dtype):
        is_number = dtype.kind not in "OUSMmc"
    else:
        is_number = keras.backend.standardize_dtype(dtype) != "string"
    if not is_number:
        raise LabelError(not_numbers_message(y))


def whole(y: Tensor) -> Tensor:
    """`y` as int32, or +-LARGEST where int32 cannot hold it: never another label."""
    dtype = keras.backend.standardize_dtype(y.dtype)
    if is_float(y):
        y = wide(y)
        is_whole = ops.logical_and(y == ops.floor(y), ops.abs(y) < LARGEST)
        exact = ops.cast(ops.where(is_whole, y, 0), "int32")
        return ops.where(is_whole, exact, LARGEST)
    if dtype in ("uint32", "uint64"):
        y = ops.cast(y, dtype[1:])
        y = ops.where(y < 0, LARGEST, y)
    if dtype in WIDE_INTEGERS:
        y = ops.clip(y, -LARGEST, LARGEST)
    return ops.cast(y, "int32")


def check_exact(y: Tensor, num_classes: int, ignored: tuple[int, ...]) -> None:
    """Raises if the float dtype of `y` rounds a class or ignored id to another."""
    dtype = keras.backend.standardize_dtype(y.dtype)
    limit = EXACT_UP_TO.get(dtype, 8)  # the limit of the 8-bit floats
    if is_float(y) and max(num_classes - 1, *map(abs, ignored), 0) > limit:
        raise LabelError(
            "`y_true` must have a dtype that holds every class and ignored id, and "
            f"{dtype} rounds whole numbers above {limit}. Received: "
            f"y_true.dtype={dtype}, num_classes={num_classes}, "
            f"ignore_class={shown(ignored)}. Keep labels as integers, or as float32."
        )


def is_float(y: Tensor) -> bool:
    """Whether `y` has a float dtype."""
    return "float" in keras.backend.standardize_dtype(y.dtype)


def wide(y: Tensor) -> Tensor:
    """`y` as float32, or unchanged if it is float64."""
    is_float64 = keras.backend.standardize_dtype(y.dtype) == "float64"
    return y if is_float64 else ops.cast(y, "float32")
