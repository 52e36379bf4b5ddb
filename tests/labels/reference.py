"""Reads labels with a loop over the pixels, and runs the package for comparison."""

import keras
import numpy as np
from keras import ops

from keras_trainfix import backend

BACKEND = keras.backend.backend()
INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
FLOATS = ["bfloat16", "float16", "float32", "float64"]
EXACT = {"bfloat16": 256, "float16": 2048, "float32": 2**24, "float64": 2**53}


def compiled(function):
    """`function` as the backend compiles it; torch runs it unchanged."""
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    return function


def array(tensor):
    return backend.to_numpy(ops.stop_gradient(tensor))


def tensor(y, dtype=None):
    return ops.convert_to_tensor(y, dtype)


def reference(y, form, channels, ignored, multi_label):
    """Values, valid and invalid, for `y` with its classes, if any, on the last axis."""
    pixels = y.shape[:-1] if form == "rows" else y.shape
    valid, invalid = np.zeros(pixels, bool), np.zeros(pixels, bool)
    values = np.zeros(y.shape, "int32" if form == "labels" else "float64")
    for at in np.ndindex(*pixels):
        if form == "rows":
            row = [float(v) for v in y[at]]
            void, known = row_is_void(row, ignored, multi_label), is_probability(row)
            known = known and (multi_label or abs(sum(row) - 1) <= 0.01)
            value = row
        elif form == "probability":
            value = float(y[at])
            known = is_probability([value])
            void = value in ignored and value not in (0, 1)
            if known and (1 if value > 0.5 else 0) in ignored:
                void = True
        else:
            value = float(y[at]) if y.dtype.kind not in "biu" else int(y[at])
            known = value in range(max(channels, 2))
            void = value in ignored
        valid[at] = known and not void
        invalid[at] = not known and not void
        if valid[at]:
            values[at] = value
    return values, valid, invalid


def is_probability(row):
    return all(0 <= v <= 1 for v in row)


def row_is_void(row, ignored, multi_label):
    if any(v in ignored and v not in (0, 1) for v in row):
        return True
    if all(v == 0 for v in row):
        return not multi_label
    known = is_probability(row) and (multi_label or abs(sum(row) - 1) <= 0.01)
    return known and row.index(max(row)) in ignored
