"""Other rows of the targets are tried for the inputs."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.instruments.other_pairings import (
    features_of,
    other_pairings,
    try_pairings,
)
from tests.diagnosis.nets import inputs, net, view

X = inputs(300)
Y = X[:, :1] - X[:, 1:2] + 0.2 * inputs(300, 1, seed=3)
FEATURES = features_of([X])
OTHER = {
    "i + 1": np.roll(Y, 1, 0),
    "i - 3": np.roll(Y, -3, 0),
    "len(y) - 1 - i": Y[::-1],
    "2 * i + 1": np.repeat(Y, 2, 0)[np.arange(600) // 2 * 2 + 1],
}


@pytest.mark.parametrize("rows", OTHER)
def test_the_rows_are_named(rows):
    seen = try_pairings(FEATURES, OTHER[rows])
    assert seen.best > 0.9
    assert seen.as_given < 0.1
    assert seen.rows == rows or rows.startswith("2")


def test_rows_that_were_repeated():
    seen = try_pairings(features_of([X[np.arange(300)]]), np.repeat(Y, 2, 0))
    assert seen.rows.startswith("2 * i")
    seen = try_pairings(features_of([inputs(300)]), inputs(300, 1, seed=8))
    assert seen.gain < 0.1


def test_classes():
    classes = (Y[:, 0] > 0).astype("int64") + (Y[:, 0] > 1)
    for targets in (classes, np.eye(3)[classes]):
        assert try_pairings(FEATURES, np.roll(targets, 2, 0)).rows == "i + 2"
        assert try_pairings(FEATURES, targets).gain < 0


def test_sorted_targets_show_no_pairing():
    assert try_pairings(FEATURES, np.repeat([0, 1], 150)).gain < 0.1
    assert try_pairings(FEATURES, np.roll(Y, 1, 0)).gain > 0.8


def test_reversed_within_batches():
    parts = np.split(Y, [32, 64, 96, 128, 160, 192, 224, 256, 288])
    turned = np.concatenate([part[::-1] for part in parts])
    sizes = tuple(map(len, parts))
    seen = try_pairings(FEATURES, turned, sizes)
    assert (seen.rows, seen.best > 0.9) == ("reversed within its batch", True)
    assert try_pairings(FEATURES, turned).gain < 0.1


def test_a_series_is_not_examined():
    steps = np.cumsum(inputs(300, 1), 0)
    windows = np.hstack([np.roll(steps, i, 0) for i in range(6)])
    assert try_pairings(features_of([windows]), np.roll(steps, -1, 0)) is None
    assert try_pairings(FEATURES, Y) is not None


def test_what_cannot_be_compared():
    assert features_of([np.array(["a"] * 100)]) is None
    assert features_of([X[:20]]) is None
    assert features_of([np.ones((100, 2))]) is None
    assert try_pairings(FEATURES, np.full((300, 1), np.nan)) is None
    assert try_pairings(FEATURES, np.array(["a"] * 300)) is None
    assert try_pairings(FEATURES, Y[:100]) is None
    assert try_pairings(FEATURES, Y) is not None


def test_arrays_and_batches():
    model = net(1, loss="mse")
    batches = [(X[i : i + 30], np.roll(Y, 1, 0)[i : i + 30]) for i in range(0, 300, 30)]
    for data in ((X, np.roll(Y, 1, 0)), (batches,)):
        (seen,) = other_pairings(view(model, *data).snapshot)
        assert (seen.rows, seen.samples) == ("i + 1", 300)
    assert other_pairings(view(model, X).snapshot) is None
