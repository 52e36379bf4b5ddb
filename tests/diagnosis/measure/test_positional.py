"""Targets that say where something is, and others."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.measure.image_pairs import MOVES, grays
from keras_trainfix.diagnosis.measure.positional import (
    are_boxes,
    is_map,
    side_is_lost,
)
from keras_trainfix.diagnosis.thresholds import SIDE_IS_LOST

MIRRORED = MOVES["mirrored left to right"]
RNG = np.random.default_rng(0)


def squares(samples=300, sizes=(6, 7), side=24):
    """Images of a square, its middle, its size."""
    rng = np.random.default_rng(1)
    x = rng.normal(0.2, 0.1, (samples, side, side, 1))
    size = rng.integers(*sizes, samples)
    low = (rng.random((samples, 2)) * (side - size[:, None])).astype(int)
    for image, (row, column), length in zip(x, low, size, strict=True):
        image[row : row + length, column : column + length] += 0.7
    return x, low + size[:, None] / 2, size


def half_mirrored(x):
    chosen = np.random.default_rng(2).random(len(x)) < 0.5
    return np.where(chosen[:, None, None, None], x[:, :, ::-1], x)


def test_the_side_of_a_mirrored_coordinate_is_lost():
    x, middle, _ = squares()
    mirrored = grays(half_mirrored(x))
    assert side_is_lost(middle[:, 1], mirrored, MIRRORED) > 0.6
    assert side_is_lost(middle[:, 0], mirrored, MIRRORED) < 0.1  # the row is right


@pytest.mark.parametrize("kind", ["size", "its exponential", "noise", "brightness"])
def test_other_targets_have_no_side(kind):
    x, _, size = squares(sizes=(2, 12))
    values = {
        "size": size,
        "its exponential": np.exp(size / 3.0),
        "noise": RNG.normal(size=len(x)),
        "brightness": x.mean((1, 2, 3)),
    }[kind]
    assert side_is_lost(values, grays(half_mirrored(x)), MIRRORED) < 0.5 * SIDE_IS_LOST


def test_too_little_to_learn_from():
    x, middle, _ = squares()
    gray = grays(half_mirrored(x))
    assert side_is_lost(middle[:20, 1], gray[:20], MIRRORED) == 0
    assert side_is_lost(np.full(len(x), 3.0), gray, MIRRORED) == 0
    assert side_is_lost(np.full(len(x), np.nan), gray, MIRRORED) == 0


def test_boxes():
    low = RNG.random((40, 2)) / 2
    size = 0.1 + RNG.random((40, 2)) / 3
    corners, middles = np.hstack([low, low + size]), np.hstack([low + size / 2, size])
    assert are_boxes(corners)
    assert are_boxes(100 * corners)
    assert are_boxes(middles)
    padded = np.zeros((40, 3, 4))
    padded[:, 0] = corners
    assert are_boxes(padded)


def test_four_numbers_that_are_no_boxes():
    assert not are_boxes(RNG.normal(size=(40, 4)))
    assert not are_boxes(np.sort(RNG.random((40, 4)), 1))  # quantiles
    assert not are_boxes(np.eye(4)[RNG.integers(0, 4, 40)])
    assert not are_boxes(RNG.random((40, 3)))


def test_maps():
    images = np.zeros((2, 32, 48, 3))
    assert is_map(np.zeros((2, 32, 48)), images)
    assert is_map(np.zeros((2, 8, 12, 5)), images)
    assert not is_map(np.zeros((2, 48, 32)), images)
    assert not is_map(np.zeros((2, 10, 4)), images)
    assert not is_map(np.zeros((2, 7)), images)
