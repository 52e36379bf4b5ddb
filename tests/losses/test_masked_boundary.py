"""The boundary loss: as in the paper, by distance, and its least value."""

import numpy as np

from keras_trainfix import MaskedBoundary
from tests.losses.cases import both, value_of


def disc(size=16, radius=4):
    rows, columns = np.mgrid[:size, :size] - size // 2
    return np.int32(rows**2 + columns**2 <= radius**2)[None]


def test_the_gradient_is_the_distance():
    labels = disc()
    found = np.full((*labels.shape, 1), 0.5, "float32")
    _, gradient = both(labels, found, MaskedBoundary(reduction="sum"))
    assert gradient[0, 8, 8, 0] < gradient[0, 8, 5, 0] < 0
    assert gradient[0, 8, 13, 0] == 1
    assert gradient[0, 8, 15, 0] == 3
    np.testing.assert_array_equal(gradient[0, ..., 0] < 0, labels[0] == 1)


def test_the_least_value_is_that_of_the_labels(rng):
    labels = disc()
    loss = MaskedBoundary()
    least = value_of(labels, labels[..., None].astype("float32"), loss)
    assert least < 0
    for _ in range(5):
        found = rng.random((*labels.shape, 1)).astype("float32")
        assert value_of(labels, found, loss) > least


def test_far_false_positives_cost_more():
    labels, loss = disc(), MaskedBoundary()
    values = []
    for column in (13, 14, 15):
        found = labels[..., None].astype("float32")
        found[0, 8, column] = 1
        values.append(value_of(labels, found, loss))
    np.testing.assert_allclose(np.diff(values), 1 / labels.size, rtol=1e-4)


def test_it_is_the_same_with_half_the_spacing():
    labels = disc()
    found = np.full((*labels.shape, 1), 0.25, "float32")
    whole, half = (
        value_of(labels, found, MaskedBoundary(spacing=s)) for s in (None, 0.5)
    )
    np.testing.assert_allclose(half, whole / 2, rtol=1e-6)
