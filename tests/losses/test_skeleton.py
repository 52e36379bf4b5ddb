"""Soft skeletons: of lines, of wide structures, and beside void."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_trainfix.losses.skeleton import soft_skeleton
from tests.losses.cases import few_examples
from tests.losses.reference import array, tensor

SHAPES = [(1, 5, 6, 2), (2, 4, 3, 5, 1), (1, 1, 7, 1), (2, 1, 1, 3)]


def skeleton(values, valid=None, iterations=3):
    valid = np.ones(values.shape[:-1], bool) if valid is None else valid
    return array(soft_skeleton(tensor(np.float32(values)), tensor(valid), iterations))


def bar(width, length=12, size=9):
    image = np.zeros((1, size, length, 1))
    start = (size - width) // 2
    image[0, start : start + width] = 1
    return image


def test_a_line_is_its_own_skeleton():
    for iterations in (0, 1, 5):
        np.testing.assert_array_equal(skeleton(bar(1), iterations=iterations), bar(1))


@pytest.mark.parametrize("width", [3, 5, 7])
def test_the_skeleton_of_a_bar_is_its_center(width):
    found = skeleton(bar(width), iterations=width // 2)
    np.testing.assert_array_equal(found, bar(1))
    assert not skeleton(bar(width), iterations=width // 2 - 1).any()


def test_a_tube_in_a_volume():
    volume = np.zeros((1, 5, 5, 9, 1))
    volume[0, 1:4, 1:4] = 1
    center = np.zeros(volume.shape)
    center[0, 2, 2] = 1
    found = skeleton(volume, iterations=1)
    np.testing.assert_array_equal(found[..., 2, 2, :, :], center[..., 2, 2, :, :])


def test_a_constant_image_has_no_skeleton():
    assert not skeleton(np.full((1, 6, 5, 2), 0.3)).any()


@st.composite
def images(draw):
    shape = draw(st.sampled_from(SHAPES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    valid = rng.random(shape[:-1]) >= draw(st.sampled_from([0.0, 0.3, 0.9, 1.0]))
    return rng.random(shape), valid, rng


@few_examples
@given(case=images())
def test_void_is_what_lies_outside_the_image(case):
    values, valid, rng = case
    axes = range(1, values.ndim - 1)
    edges = [
        tuple(rng.integers(0, 3, 2)) if axis in axes else (0, 0)
        for axis in range(values.ndim)
    ]
    around = np.pad(values, edges, constant_values=np.nan)
    inside = np.pad(valid, edges[:-1])
    found = skeleton(around, inside)
    crop = tuple(slice(a, a + n) for (a, _), n in zip(edges, values.shape, strict=True))
    np.testing.assert_array_equal(found[crop], skeleton(values, valid))
    assert found.sum() == pytest.approx(found[crop].sum())


@few_examples
@given(case=images())
def test_it_turns_with_the_image(case):
    values, valid, _ = case
    expected = skeleton(values, valid)
    for axis in range(1, values.ndim - 1):
        found = skeleton(np.flip(values, axis), np.flip(valid, axis))
        np.testing.assert_array_equal(np.flip(found, axis), expected)
    turned = skeleton(values.swapaxes(1, 2), valid.swapaxes(1, 2))
    np.testing.assert_allclose(turned.swapaxes(1, 2), expected, rtol=1e-6)


@few_examples
@given(case=images())
def test_it_lies_within_the_structure(case):
    values, valid, _ = case
    mask = values > 0.5
    found = skeleton(mask, valid)
    assert not found[~mask].any()
    assert not found[~valid].any()
    assert set(np.unique(found)) <= {0, 1}
