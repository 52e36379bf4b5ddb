"""What chance gives, and how far a real signal is from it."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.measure.linear_and_knn import mean_of_others, ridge
from keras_trainfix.diagnosis.measure.permutation_test import (
    BEYOND_DOUBT,
    MOST_COLUMNS,
    PLANTED,
    SEEN,
    SHUFFLES,
    count_of_rarer,
    main_columns,
    orders_of_rows,
    strength_of,
    without_tails,
)

N = 96


def similarity(x):
    x = (x - x.mean(0)) / x.std(0)
    return x @ x.T / x.shape[1]


def strength(x, y):
    similar, columns = similarity(x), main_columns(y)
    learner = ridge(similar, 0.1, 1) - mean_of_others(len(x), 1)
    return strength_of([learner], columns, orders_of_rows(columns, similar, 1))


def test_a_signal_is_beyond_doubt_and_noise_is_not(rng):
    x = rng.normal(size=(N, 4))
    signal, power = strength(x, x[:, :1])
    assert signal > BEYOND_DOUBT
    assert power > 0.8
    assert strength(x, rng.normal(size=(N, 1)))[0] < SEEN


def test_orders_are_permutations_and_the_first_is_the_own(rng):
    columns = rng.normal(size=(24, 1))
    orders = orders_of_rows(columns, similarity(rng.normal(size=(24, 3))), 4)
    assert orders.shape == (1 + SHUFFLES + PLANTED, 24)
    np.testing.assert_array_equal(orders[0], np.arange(24))
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(24))


def test_rows_of_a_sample_are_shuffled_together(rng):
    orders = orders_of_rows(rng.normal(size=(24, 1)), np.eye(24), 4)
    for order in orders[1 : 1 + SHUFFLES]:
        assert (order.reshape(-1, 4) // 4 == order[::4, None] // 4).all()


def test_columns_that_do_not_vary_are_left_out(rng):
    y = np.c_[rng.normal(size=(N, 2)) * [1.0, 100.0], np.full(N, 7.0)]
    columns = main_columns(y)
    assert columns.shape == (N, 2)
    np.testing.assert_allclose(columns.std(0), 1, rtol=1e-5)
    assert main_columns(rng.normal(size=(N, 20))).shape == (N, MOST_COLUMNS)


def test_tails_are_clipped(rng):
    y = rng.normal(size=(1000, 1))
    y[0] = 1e6
    clipped = without_tails(y)
    assert clipped.max() < 5
    np.testing.assert_array_equal(np.median(clipped), np.median(y))


@pytest.mark.parametrize(
    ("kind", "rows", "count"),
    [
        ("classes", np.eye(3)[[0, 0, 0, 1, 2]], 2),
        ("multi_label", np.array([[1, 0], [1, 0], [1, 1], [0, 0]]), 1),
        ("regression", np.array([[1.0], [1.0], [2.0], [3.0]]), 2),
    ],
)
def test_the_count_of_rarer_answers(kind, rows, count):
    mean = rows.mean(0)
    assert count_of_rarer(kind, rows - mean, mean) == count
