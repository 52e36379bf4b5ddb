"""A function of a batch is compiled once for each shape, and gives what it gives."""

import numpy as np
from keras import ops

from keras_trainfix.backend import to_numpy
from keras_trainfix.metrics.batches import compiled, run


def scaled(labels, predictions, weights, factor):
    assert weights is None
    return factor * ops.sum(labels * predictions)


def test_tensors_then_settings():
    compiled.cache_clear()
    one, two = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    for _ in range(2):
        assert float(to_numpy(run(scaled, (one, two, None), 2))) == 22
    assert float(to_numpy(run(scaled, (one, two, None), 3))) == 33
    assert float(to_numpy(run(scaled, (one[:1], two[:1], None), 3))) == 9
    assert compiled.cache_info().misses == 3
