"""It is seen how one image was made from another."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.measure.image_pairs import (
    MOVES,
    grays,
    how_moved,
    moves_of,
)

IMAGES = np.random.default_rng(0).random((6, 20, 20, 3)).astype("float32")
GRAY = grays(IMAGES)


@pytest.mark.parametrize("name", MOVES)
def test_a_move_has_a_name(name):
    assert how_moved(GRAY, MOVES[name](GRAY)) == [name] * 6
    assert how_moved(GRAY, GRAY) == [""] * 6


def test_a_shift():
    moved = np.roll(GRAY, (2, -3), (1, 2))
    assert how_moved(GRAY, moved) == ["shifted"] * 6


def test_brightness_and_noise_do_not_move():
    noise = np.random.default_rng(1).normal(0, 0.03, GRAY.shape)
    assert how_moved(GRAY, 0.5 * GRAY + 0.2 + noise) == [""] * 6


def test_others_are_no_pair():
    assert how_moved(GRAY[:3], GRAY[3:]) == [None] * 3
    assert how_moved(GRAY, np.zeros_like(GRAY)) == [None] * 6


def test_a_symmetric_image_is_not_moved():
    even = GRAY + GRAY[:, :, ::-1]
    assert how_moved(even, even[:, :, ::-1]) == [""] * 6
    assert how_moved(GRAY, GRAY[:, :, ::-1]) == ["mirrored left to right"] * 6


def test_only_a_square_can_be_turned():
    assert len(moves_of((1, 8, 8))) == 6
    assert len(moves_of((1, 8, 9))) == 3


@pytest.mark.parametrize("side", [100, 97])
def test_large_images_are_averaged(side):
    large = np.random.default_rng(0).random((2, side, side, 1))
    large = large + np.linspace(0, 9, side)[:, None, None]  # survives the averages
    small = grays(large)
    assert max(small.shape[1:]) <= 48
    assert how_moved(small, grays(large[:, ::-1])) == ["mirrored top to bottom"] * 2
