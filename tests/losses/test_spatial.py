"""Losses of shapes need images or volumes, and get them back as they were."""

import numpy as np
import pytest

from keras_trainfix.losses.pixels import Pixels
from keras_trainfix.losses.spatial import as_rows, in_space
from tests.losses.cases import OF_SHAPES, message, uniform
from tests.losses.reference import array


@pytest.mark.parametrize("pixels", [(3,), (3, 4), (2, 2, 2, 2, 2)])
@pytest.mark.parametrize("kind", OF_SHAPES)
def test_neither_images_nor_volumes(kind, pixels):
    text = message(lambda: kind()(np.zeros(pixels, int), uniform(*pixels, 3)))
    assert "images (N, H, W, C) or volumes (N, D, H, W, C)" in text
    assert f"Received: pixels of shape {pixels}, with 3 classes." in text


@pytest.mark.parametrize("shape", [(2, 3, 4, 2), (2, 3, 4, 5, 2), (1, 2, 4100, 1)])
@pytest.mark.parametrize("axis", [-1, 1])
def test_images_come_back_as_they_were(rng, shape, axis):
    scores = rng.random(shape).astype("float32")
    labels = np.zeros(shape[:-1], int)
    pixels = Pixels(labels, np.moveaxis(scores, -1, axis), axis=axis)
    found = in_space(pixels, pixels.scores)
    np.testing.assert_array_equal(array(found), scores)
    rows = as_rows(pixels, found)
    np.testing.assert_array_equal(array(rows), array(pixels.scores))
    assert array(in_space(pixels, pixels.valid)).shape == shape[:-1]
