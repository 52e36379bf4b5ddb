"""Simple learners as matrices, against fits without the sample."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.measure.linear_and_knn import (
    Scores,
    mean_of_others,
    nearest,
    ridge,
)

N = 24


def similarity(x):
    x = x - x.mean(0)
    return x @ x.T


@pytest.mark.parametrize("group", [1, 3])
def test_ridge_predicts_samples_from_the_others(rng, group):
    """Held-out predictions are those of a fit in which the sample's rows are gone."""
    x, y = rng.normal(size=(N, 3)), rng.normal(size=(N, 2))
    x, y = x - x.mean(0), y - y.mean(0)
    penalty = 0.5
    found = ridge(similarity(x), penalty, group) @ y
    full = np.eye(N) - penalty * np.linalg.inv(x @ x.T + penalty * np.eye(N)) + 1 / N
    for start in range(0, N, group):
        rows = slice(start, start + group)
        hat = full[rows, rows]
        fitted = (full @ y)[rows]
        left_out = np.linalg.solve(np.eye(group) - hat, fitted - hat @ y[rows])
        np.testing.assert_allclose(found[rows], left_out, rtol=1e-4, atol=1e-6)


def test_own_targets_never_count(rng):
    x = rng.normal(size=(N, 3))
    for matrix in (
        ridge(similarity(x), 0.5, 3),
        nearest(similarity(x), 3, 3),
        mean_of_others(N, 3),
    ):
        blocks = matrix.reshape(N // 3, 3, N // 3, 3)
        own = blocks[np.arange(N // 3), :, np.arange(N // 3), :]
        np.testing.assert_allclose(own, 0, atol=1e-12)


def test_the_nearest_rows(rng):
    x = rng.normal(size=(N, 2))
    x -= x.mean(0)
    found = nearest(similarity(x), 4, 1)
    distance = ((x[:, None] - x) ** 2).sum(-1)
    np.fill_diagonal(distance, np.inf)
    for row, expected in zip(found, np.argsort(distance, 1)[:, :4], strict=True):
        assert set(np.flatnonzero(row)) == set(expected)
    np.testing.assert_allclose(found.sum(1), 1)


def test_the_mean_of_the_others(rng):
    y = rng.normal(size=(6, 1))
    found = mean_of_others(6, 2) @ y
    assert found[0, 0] == pytest.approx(y[2:].mean())
    assert found[5, 0] == pytest.approx(y[:4].mean())


def test_the_skill_of_a_learner():
    y = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    constant, everything = np.zeros((4, 4)), np.ones(4, bool)
    scores = Scores("regression", y, np.zeros(1), everything, constant, 1)
    assert scores.of(np.eye(4)).skill == pytest.approx(1)
    assert scores.of(0.5 * np.eye(4)).skill == pytest.approx(0.75)
    assert scores.best([constant, np.eye(4)]).skill == pytest.approx(1)
    rows = np.eye(2)[[0, 1, 0, 1]]
    scores = Scores("classes", rows - 0.5, np.full(2, 0.5), everything, constant, 1)
    assert scores.of(np.eye(4)).accuracy == 1
    assert scores.of(-np.eye(4)).accuracy == 0
