"""Which tensors have values that eager code may read."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_trainfix import backend
from tests.labels.reference import BACKEND, compiled


def test_is_concrete():
    seen = []

    def function(x):
        seen.append(backend.is_concrete(x))
        return x + 1

    x = ops.convert_to_tensor(np.ones(2))
    function(x)
    function(keras.KerasTensor((2,)))
    function(np.ones(2))
    seen.append(backend.is_concrete(keras.Variable(np.ones(2))))
    compiled(function)(x)
    assert seen == [True, False, True, True, BACKEND == "torch"]


@pytest.mark.backend_only("torch", reason="torch traces by other means")
def test_is_concrete_where_torch_traces():
    import torch

    assert not backend.is_concrete(torch.ones(2, device="meta"))

    def branch(x):
        return x + 1 if backend.is_concrete(x) else x + 2

    traced = torch.compile(branch, backend="eager", fullgraph=True)
    assert traced(torch.zeros(1)).item() == 2
