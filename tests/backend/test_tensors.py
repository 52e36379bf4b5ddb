"""Values, devices and dtypes of tensors."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_trainfix import backend
from keras_trainfix.backend import is_concrete, to_numpy
from tests.conftest import sees_gpu

NAME = keras.backend.backend()


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "float16", "float32"])
def test_to_numpy_is_a_copy_with_the_dtype(dtype):
    tensor = ops.convert_to_tensor(np.ones((2, 3), dtype))
    array = to_numpy(tensor)
    assert array.dtype == dtype
    if array.flags.writeable:
        array[:] = 0
    assert to_numpy(tensor).all()


def test_to_numpy_takes_variables_and_arrays():
    assert to_numpy(keras.Variable([1.0, 2.0])).tolist() == [1, 2]
    assert to_numpy(np.array([1, 2])).tolist() == [1, 2]


def test_numpy_to_read():
    tensor = ops.convert_to_tensor([1.0, 2.0])
    assert backend.numpy_to_read(tensor).tolist() == [1, 2]
    assert backend.numpy_to_read(np.array([1, 2])).tolist() == [1, 2]
    if NAME == "jax":
        assert np.shares_memory(backend.numpy_to_read(tensor), np.asarray(tensor))


def test_an_array_is_copied():
    array = np.array([1, 2])
    to_numpy(array)[:] = 0
    assert array.tolist() == [1, 2]


@pytest.mark.backend_only("tensorflow", "jax", reason="torch needs no copy")
@pytest.mark.parametrize("shape", [(2, 3), (0, 3), (257, 5)])
def test_shared_memory(shape):
    array, tensor = backend.shared_memory(shape)
    for number in (1.0, 2.0):
        array[...] = number
        assert (to_numpy(tensor * 3) == np.full(shape, 3 * number)).all()
    assert array.dtype == "float32"
    assert tuple(tensor.shape) == shape


def test_the_library_of_arrays_is_numpy():
    assert backend.library(np.ones(2)) is np
    assert backend.library(np.float32(1)) is np
    assert backend.library(ops.ones(2)) is ops


def traced(function, x):
    """Calls a function as the backend compiles it."""
    if NAME == "tensorflow":
        import tensorflow as tf

        return tf.function(function)(x)
    if NAME == "jax":
        import jax

        return jax.jit(function)(x)
    import torch

    return function(torch.empty(x.shape, device="meta"))


def test_is_concrete():
    tensor = ops.convert_to_tensor([1.0])
    for value in (tensor, keras.Variable([1.0]), np.ones(1), 1.0, [1.0]):
        assert is_concrete(value)
    assert not is_concrete(keras.KerasTensor((1,)))
    seen = []
    traced(lambda x: seen.append(is_concrete(x)), tensor)
    assert seen == [False]


@pytest.mark.backend_only("torch", reason="torch traces by other means")
def test_is_concrete_where_torch_compiles():
    import torch

    def branch(x):
        return x + 1 if is_concrete(x) else x + 2

    traced = torch.compile(branch, backend="eager", fullgraph=True)
    assert traced(torch.zeros(1)).item() == 2
    assert branch(torch.zeros(1)).item() == 1


def test_nothing_is_concrete_while_keras_infers_shapes():
    class Own(keras.layers.Layer):
        def call(self, inputs):
            seen.append(is_concrete(inputs))
            return inputs

    seen = []
    Own()(keras.Input((3,)))
    assert seen
    assert not any(seen)


def test_on_cpu():
    assert backend.on_cpu(ops.convert_to_tensor([1.0])) is not sees_gpu()
    if NAME == "torch":
        import torch

        assert backend.on_cpu(torch.empty(1, device="cpu"))
        assert not backend.on_cpu(torch.empty(1, device="meta"))


def test_slices_are_views():
    array = np.zeros(4)
    assert backend.slices_are_views(array)
    tensor = ops.zeros((4,))
    assert backend.slices_are_views(tensor) == (NAME == "torch")
    if NAME == "torch":
        tensor[1:3].fill_(1)
        assert to_numpy(tensor).tolist() == [0, 1, 1, 0]


def test_as_index():
    ids = backend.as_index(ops.convert_to_tensor(np.array([2, 0], "int32")))
    rows = ops.convert_to_tensor([10.0, 11.0, 12.0])
    assert to_numpy(rows[ids] if NAME == "torch" else ops.take(rows, ids)).tolist() == [
        *(12, 10)
    ]
    assert to_numpy(ids).dtype == ("int64" if NAME == "torch" else "int32")


@pytest.mark.parametrize("kind", ["int", "float"])
def test_widest_is_what_the_backend_keeps(kind):
    wide = ops.convert_to_tensor(np.ones(1, f"{kind}64"))
    assert keras.backend.standardize_dtype(wide.dtype) == backend.widest(kind)


@pytest.mark.parametrize("value", [2**53 + 1, 1 + 1e-12])
def test_exact_tensor_keeps_each_digit(value):
    array = np.array([value])
    kept = backend.exact_tensor(array)
    assert ops.is_tensor(kept) == (backend.widest(array.dtype.name[:-2])[-2:] == "64")
    assert np.asarray(kept)[0] == value
