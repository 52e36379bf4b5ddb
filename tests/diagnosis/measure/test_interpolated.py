"""Ids between others along borders: one in three by chance, all by averaging."""

import numpy as np
import scipy.ndimage

from keras_trainfix.diagnosis.measure.interpolated import between


def squares(count=40, size=64):
    rng = np.random.default_rng(0)
    masks = np.zeros((count, size, size), int)
    for mask in masks:
        for label in rng.permutation([1, 2, 3, 4]):
            top, left = rng.integers(0, size - 20, 2)
            mask[top : top + 20, left : left + 20] = label
    return masks


def test_averaging_puts_ids_between():
    masks = squares()
    smaller = masks.reshape(40, 16, 4, 16, 4).mean((2, 4)).round()
    assert between(smaller).share > 0.7
    turned = scipy.ndimage.rotate(masks * 1.0, 17, (1, 2), reshape=False, order=1)
    assert between(turned.round()).share > 0.9


def test_the_nearest_id_does_not():
    assert between(squares()[:, 2::4, 2::4]).share < 0.5
    turned = scipy.ndimage.rotate(squares(), 17, (1, 2), reshape=False, order=0)
    assert between(turned).share < 0.6
    noise = np.random.default_rng(0).integers(0, 5, (20, 32, 32))
    assert between(noise).share < 0.35


def test_levels_are_an_order():
    height = np.random.default_rng(0).normal(size=(40, 64, 64))
    height = scipy.ndimage.gaussian_filter(height, (0, 6, 6))
    levels = np.floor(16 * (height - height.min()) / np.ptp(height))
    assert between(levels).number == 0


def test_a_mask_of_one_class():
    seen = between(np.zeros((2, 8, 8), int))
    assert (seen.number, seen.share, len(seen.ids)) == (0, 0.0, 0)
