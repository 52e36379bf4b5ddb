"""Validation samples are looked for in all of the training data."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.instruments.samples_in_both import (
    count_in_both,
    samples_in_both,
)
from tests.diagnosis.nets import inputs, net, view

X = inputs(3000)
Y = X[:, :1]


def seen(x_val, x=X, y=Y, y_val=None):
    y_val = x_val[:, :1] if y_val is None else y_val
    model = net(1, loss="mse")
    return samples_in_both(view(model, x, y, validation_data=(x_val, y_val)).snapshot)


def test_a_part_of_many_samples():
    other = inputs(100, seed=2)
    found = seen(np.concatenate([X[-100:], other]))
    assert (found.samples, found.found) == (200, 100)
    assert found.share == pytest.approx(0.5)
    assert seen(other).found == 0


def test_rows_that_repeat_by_nature():
    bits = np.random.default_rng(0).integers(0, 2, (300, 6)).astype("float32")
    found = seen(bits[200:], bits[:200], bits[:200, :1])
    assert found.found > 50
    assert found.share < 0.1


def test_batches():
    batches = [(X[i : i + 50], Y[i : i + 50]) for i in range(0, 400, 50)]
    assert seen(X[300:350], batches, None).found == 50
    assert seen(X[600:650], batches, None).found == 0


def test_counts():
    found = count_in_both(np.array([1, 2, 3, 3]), np.array([3, 4]))
    assert (found.samples, found.found, found.repeated) == (2, 1, 0.5)
    assert found.share == 0
    assert samples_in_both(view(net(1, loss="mse"), X, Y).snapshot) is None
