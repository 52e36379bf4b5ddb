"""A number for each sample, the same for equal samples."""

from typing import Any

import numpy as np

from keras_trainfix.data import leaves


def row_keys(structure: Any) -> np.ndarray:
    """A number for each row of some arrays, the same where all of the row is equal.

    Args:
        structure: An array, or a structure of arrays with a common first axis. Numbers
            are compared as float32, text as text.

    Returns:
        Integer array `(N,)`.

    Examples:
        >>> keys = row_keys(np.array([[1, 2], [3, 4], [1, 2]]))
        >>> bool(keys[0] == keys[2]), bool(keys[0] == keys[1])
        (True, False)
    """
    parts = [_parts(leaf) for leaf in leaves(structure)]
    return np.array([hash(row) for row in zip(*parts, strict=True)], "int64")


def _parts(leaf):
    """Something to hash for each row of one array."""
    if leaf.dtype.kind not in "biufc":
        return [str(row) for row in leaf.reshape(len(leaf), -1).tolist()]
    rows = np.ascontiguousarray(leaf, "float32") + np.float32(0)  # -0.0 is 0.0
    return [row.tobytes() for row in rows]
