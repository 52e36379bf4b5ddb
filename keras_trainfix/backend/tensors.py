"""Tensors: what they hold, where they are, what dtypes they can have."""

import keras
import numpy as np

from keras_trainfix.keras_internals import is_symbolic_scope


def to_numpy(tensor):
    """A NumPy copy of a tensor or variable, with its dtype."""
    # A variable on its own makes NumPy 2 warn about Keras' `__array__`.
    return keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(tensor))


def numpy_to_read(tensor):
    """A NumPy array of a tensor, not to be written to: on JAX without a copy."""
    if keras.backend.backend() == "jax" and keras.ops.is_tensor(tensor):
        return np.asarray(tensor)
    return to_numpy(tensor)


def is_concrete(tensor):
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

        return tf.executing_eagerly() and not tf.is_symbolic_tensor(tensor)
    if backend == "jax":
        import jax

        if isinstance(tensor, jax.core.Tracer):
            return False
        # An array over several hosts cannot be read from one of them.
        return getattr(tensor, "is_fully_addressable", True)
    import torch

    is_symbolic = is_symbolic_scope() or tensor.device.type == "meta"
    return not (is_symbolic or torch.compiler.is_compiling())


def on_cpu(tensor):
    """Whether a tensor is on the CPU, or TensorFlow or JAX sees nothing else."""
    backend = keras.backend.backend()
    if backend == "torch":
        return tensor.device.type == "cpu"
    if backend == "jax":
        import jax

        return jax.default_backend() == "cpu"
    import tensorflow as tf

    return len(tf.config.list_logical_devices()) == len(
        tf.config.list_logical_devices("CPU")
    )


def slices_are_views(array):
    """Whether a slice of `array` shares its memory."""
    return keras.backend.backend() == "torch" or not keras.ops.is_tensor(array)


def as_index(ids):
    """Class ids in the dtype that the backend indexes with."""
    return ids.long() if keras.backend.backend() == "torch" else ids


def widest(dtype):
    """The widest dtype of a kind, `"int"` or `"float"`, that the backend can hold."""
    if keras.backend.backend() == "jax":
        import jax

        return f"{dtype}{64 if jax.config.read('jax_enable_x64') else 32}"
    return f"{dtype}64"


def exact_tensor(array):
    """A tensor of an int64 or float64 array, or the array where none can hold it."""
    if array.dtype.name != widest(array.dtype.name[:-2]):
        return array
    return keras.ops.convert_to_tensor(array)
