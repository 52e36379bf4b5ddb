"""A function of a batch takes arrays and None."""

import numpy as np
from keras import ops

from keras_trainfix.backend import to_numpy
from keras_trainfix.metrics.batches import run


def scaled(labels, predictions, weights, factor):
    assert weights is None
    return factor * ops.sum(labels * predictions)


def test_tensors_then_settings():
    one, two = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    assert float(to_numpy(run(scaled, (one, two, None), 2))) == 22
    assert float(to_numpy(run(scaled, (one, two, None), 3))) == 33
