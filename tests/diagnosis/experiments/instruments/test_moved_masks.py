"""Moved masks are tried for the images."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.instruments.moved_masks import (
    moved_masks,
    try_moves,
)
from keras_trainfix.diagnosis.measure.image_pairs import MOVES
from tests.diagnosis.nets import inputs, net, view

RNG = np.random.default_rng(0)


def smooth(count=32, size=20):
    """Images with structure, and the mask of their brighter half."""
    x = RNG.normal(size=(count, size, size, 1))
    for axis in (1, 2):
        x = x + np.roll(x, 1, axis) + np.roll(x, -1, axis)
    return x, (x > 0).astype("int64")[..., 0]


X, MASKS = smooth()


@pytest.mark.parametrize("name", MOVES)
def test_moves_have_names(name):
    seen = try_moves(X, MOVES[name](MASKS))
    undone = {"turned by 90 degrees": 270, "turned by 270 degrees": 90}
    expected = f"turned by {undone[name]} degrees" if name in undone else name
    assert (seen.move, seen.images) == (expected, 32)
    assert seen.as_given < 0.1
    assert seen.best > 0.4


@pytest.mark.parametrize(
    "form",
    [
        lambda y: y,
        lambda y: y[..., None],
        lambda y: np.eye(2)[y],
        lambda y: 255 * y,
        lambda y: y + RNG.normal(0, 0.1, y.shape),
    ],
)
def test_masks_as_they_should_be(form):
    seen = try_moves(X, form(MASKS))
    assert seen.as_given > 0.4
    assert seen.gain < 0


def test_a_shift_and_other_images():
    seen = try_moves(X, np.roll(MASKS, 6, 2))
    assert seen.move == "shifted by 0 rows and -6 columns"
    assert try_moves(X, np.roll(MASKS, 1, 0)).move == "of image i + 1"


def test_masks_that_nothing_predicts():
    noise = RNG.integers(0, 2, MASKS.shape)
    assert abs(try_moves(X, noise).gain) < 0.1
    assert try_moves(X, MASKS).best < try_moves(X, MASKS).as_given


def test_what_cannot_be_compared():
    assert try_moves(X, MASKS[:, ::2]) is None
    assert try_moves(X, MASKS * 0) is None
    assert try_moves(X[:4], MASKS[:4]) is None
    assert try_moves(X * np.nan, MASKS) is None
    assert try_moves(np.moveaxis(X, -1, 1), MASKS).as_given > 0.4


def test_without_images():
    one = view(net(1, loss="mse"), inputs(), inputs()[:, :1])
    assert moved_masks(one.snapshot) is None
    assert try_moves(X, MASKS) is not None


def test_images_that_are_sorted_by_class():
    plain = X[:16]
    images = np.concatenate([plain, 10 - plain])  # class 2 is dark on a bright image
    masks = np.concatenate([MASKS[:16], 2 * MASKS[:16]])
    together = np.argsort(np.arange(32) % 16, kind="stable")
    for order in (np.arange(32), together):
        assert try_moves(images[order], masks[order]).as_given > 0.3
