"""Tensors: their values, their device, and the dtypes they can have."""

import math
from types import ModuleType
from typing import Any, TypeAlias

import keras
import numpy as np

from keras_trainfix.keras_internals import is_symbolic_scope

# Whatever the backend converts to a tensor: its own tensors, arrays, nested lists.
Tensor: TypeAlias = Any

ALIGNMENT = 64  # bytes, of memory that a tensor can share


def to_numpy(tensor: Tensor) -> np.ndarray:
    """A NumPy copy of a tensor, variable or array, with its dtype."""
    if isinstance(tensor, np.ndarray):
        return tensor.copy()
    # For a variable itself NumPy 2 warns about Keras' `__array__`.
    return keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(tensor))


def numpy_to_read(tensor: Tensor) -> np.ndarray:
    """A NumPy array of a tensor, for reading only: on JAX without a copy."""
    if keras.backend.backend() == "jax" and keras.ops.is_tensor(tensor):
        return np.asarray(tensor)
    return to_numpy(tensor)


def library(values: Tensor) -> ModuleType:
    """NumPy for its arrays, `keras.ops` for tensors: they share most functions."""
    return np if isinstance(values, np.ndarray | np.generic) else keras.ops


def is_concrete(tensor: Tensor) -> bool:
    """Whether the values of `tensor` can be read now: not while a graph is traced."""
    if isinstance(tensor, keras.KerasTensor):
        return False
    if isinstance(tensor, keras.Variable):
        tensor = tensor.value
    if not keras.ops.is_tensor(tensor):
        return True
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return bool(tf.executing_eagerly() and not tf.is_symbolic_tensor(tensor))
    if backend == "jax":
        import jax

        if isinstance(tensor, jax.core.Tracer):
            return False
        # One host cannot read an array that is spread over several.
        return bool(getattr(tensor, "is_fully_addressable", True))
    import torch

    is_symbolic = is_symbolic_scope() or tensor.device.type == "meta"
    return not (is_symbolic or torch.compiler.is_compiling())


def on_cpu(tensor: Tensor) -> bool:
    """Whether a tensor is on the CPU.

    On TensorFlow and JAX: whether the backend uses nothing but the CPU.
    """
    backend = keras.backend.backend()
    if backend == "torch":
        return bool(tensor.device.type == "cpu")
    if backend == "jax":
        import jax

        return jax.default_backend() == "cpu"
    import tensorflow as tf

    return len(tf.config.list_logical_devices()) == len(
        tf.config.list_logical_devices("CPU")
    )


def slices_are_views(array: Tensor) -> bool:
    """Whether a slice of a tensor or array shares its memory."""
    return keras.backend.backend() == "torch" or not keras.ops.is_tensor(array)


def threads_each_operation() -> bool:
    """Whether an operation on a large tensor is split among threads, small or not.

    Many operations on small pieces of it then take less time.
    """
    return keras.backend.backend() == "torch"


def shared_memory(shape: tuple[int, ...]) -> tuple[np.ndarray, Tensor]:
    """A float32 array, and a tensor that shares its memory, on TensorFlow or JAX.

    For arrays that are read once: a tensor made of each would copy it into new memory,
    which takes longer than to use the numbers.

    Args:
        shape: Tuple of integers.
    """
    size = math.prod(shape) * 4
    room = np.empty(size + ALIGNMENT, "uint8")
    first = -room.ctypes.data % ALIGNMENT
    array = room[first : first + size].view("float32").reshape(shape)
    if keras.backend.backend() == "jax":
        import jax

        return array, jax.dlpack.from_dlpack(array)
    import tensorflow as tf

    return array, tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def as_index(ids: Tensor) -> Tensor:
    """Integer ids in the dtype that the backend indexes with."""
    return ids.long() if keras.backend.backend() == "torch" else ids


def widest(dtype: str) -> str:
    """The name of the widest `"int"` or `"float"` dtype that the backend supports."""
    if keras.backend.backend() == "jax":
        import jax

        return f"{dtype}{64 if jax.config.read('jax_enable_x64') else 32}"
    return f"{dtype}64"


def exact_tensor(array: np.ndarray) -> Tensor:
    """A tensor of a 64-bit array, or the array if the backend has only 32 bits."""
    if array.dtype.name != widest(array.dtype.name[:-2]):
        return array
    return keras.ops.convert_to_tensor(array)
