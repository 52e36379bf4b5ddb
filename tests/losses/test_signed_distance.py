"""Signed distances: equal to all pairs of pixels, forms of labels, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_trainfix import signed_distance
from tests.losses import reference

pytestmark = pytest.mark.one_backend  # it is NumPy

SHAPES = [(1, 5, 6), (2, 3, 2, 4), (1, 1, 7), (1, 1, 1)]


def expected(y, valid, channels, spacing=None):
    n = len(y)
    masks = y[..., None] == (1 if channels == 1 else np.arange(channels))
    batch = reference.Batch(
        *(None, None, valid.reshape(n, -1), None, False, channels > 1, False, y.shape)
    )
    found = reference.signed_distances(batch, masks.reshape(n, -1, channels), spacing)
    return found.reshape(*y.shape, channels)


@st.composite
def maps(draw):
    shape = draw(st.sampled_from(SHAPES))
    channels = draw(st.sampled_from([1, 2, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y = rng.integers(0, max(channels, 2), shape)
    valid = rng.random(shape) >= draw(st.sampled_from([0.0, 0.3, 0.9, 1.0]))
    dtype = draw(st.sampled_from(["uint8", "int64", "float32"]))
    spacing = draw(st.sampled_from([None, 2.0, [0.5, 3.0, 1.0][: len(shape) - 1]]))
    return np.where(valid, y, 255).astype(dtype), valid, channels, spacing


@given(case=maps())
def test_it_is_the_distance_of_all_pairs(case):
    y, valid, channels, spacing = case
    found = signed_distance(y, channels, spacing=spacing)
    assert found.dtype == "float32"
    np.testing.assert_allclose(
        found, expected(y, valid, channels, spacing), rtol=1e-6, atol=1e-6
    )


def test_all_forms_of_labels(rng):
    y = rng.integers(0, 3, (2, 5, 6))
    y[0, 0, :2] = 255
    wanted = signed_distance(y, 3)
    rows = np.float32(y[..., None] == np.arange(3))
    for labels in (y[..., None], rows, y.astype("float64")):
        np.testing.assert_array_equal(signed_distance(labels, 3), wanted)
    several = np.concatenate([rows[..., :1], rows[..., :1]], axis=-1)
    found = signed_distance(several, 2, ignore_class=None, multi_label=True)
    np.testing.assert_array_equal(found[..., 0], found[..., 1])
    assert (found[0, 0, :2] > 0).all()


@pytest.mark.parametrize("shape", [(4,), (4, 5), (1, 2, 2, 2, 2, 2)])
def test_neither_images_nor_volumes(shape):
    with pytest.raises(ValueError, match="images .N, H, W. or volumes") as error:
        signed_distance(np.zeros(shape, int), 2)
    assert f"Received: y.shape={shape}." in str(error.value)


def test_spacing_that_does_not_fit():
    with pytest.raises(ValueError, match="spacing.* must have 2 numbers"):
        signed_distance(np.zeros((1, 4, 4), int), 2, spacing=[1.0, 1.0, 1.0])


def test_a_label_that_is_no_class():
    with pytest.raises(ValueError, match="7 .1 time."):
        signed_distance(np.array([[[0, 1, 7]]]), 2)
