"""Strings as a plain loop decodes and compares them."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.measure.strings import (
    best_constant_string,
    edit_distances,
    greedy_strings,
    left_aligned,
)


def levenshtein(one, other):
    table = np.zeros((len(one) + 1, len(other) + 1))
    table[:, 0], table[0] = np.arange(len(one) + 1), np.arange(len(other) + 1)
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            change = table[i - 1, j - 1] + (a != b)
            table[i, j] = min(change, table[i - 1, j] + 1, table[i, j - 1] + 1)
    return table[-1, -1]


def strings(rng, rows=40, most=7, symbols=4):
    ids = rng.integers(1, symbols, (rows, most))
    return np.where(np.arange(most) < rng.integers(0, most + 1, (rows, 1)), ids, 0)


def plain(row):
    return [symbol for symbol in row if symbol]


@pytest.mark.parametrize("most", [1, 4, 9])
def test_edit_distances(rng, most):
    one, other = strings(rng, most=7), strings(rng, most=most)
    expected = [
        levenshtein(plain(a), plain(b)) for a, b in zip(one, other, strict=True)
    ]
    np.testing.assert_array_equal(edit_distances(one, other), expected)


def test_greedy_strings(rng):
    scores = rng.normal(size=(30, 12, 3))
    for row, path in zip(greedy_strings(scores), scores.argmax(-1), strict=True):
        merged = [s for i, s in enumerate(path) if i == 0 or s != path[i - 1]]
        assert plain(row) == plain(merged)
        assert not row[len(plain(row)) :].any()


def test_left_aligned():
    assert left_aligned(np.array([[0, 2, 0, 1]])).tolist() == [[2, 1, 0, 0]]


def test_no_string_that_occurs_is_better_than_the_constant(rng):
    targets = strings(rng)

    def errors(constant):
        return sum(levenshtein(plain(constant), plain(row)) for row in targets)

    best = errors(best_constant_string(targets))
    assert best <= min(errors(row) for row in [*targets, []])
    assert best > 0
