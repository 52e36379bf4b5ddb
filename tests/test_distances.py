"""Distances and surfaces are those of the definitions."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_trainfix.distances import distances_to, spacing_of_axes, surface_of

pytestmark = pytest.mark.one_backend  # they are NumPy
pytest.importorskip("scipy")


@st.composite
def masks(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.sampled_from([(5, 6), (3, 4, 4), (7,)]))
    share = draw(st.sampled_from([0.1, 0.5, 0.9]))
    spacing = draw(st.sampled_from([None, tuple(rng.uniform(0.3, 3, len(shape)))]))
    return rng.random(shape) < share, rng.random(shape) < 0.8, spacing


@given(drawn=masks())
def test_distances_are_those_to_the_nearest_pixel(drawn):
    mask, _, spacing = drawn
    scale = np.ones(mask.ndim) if spacing is None else np.array(spacing)
    inside = np.argwhere(mask)
    expected = np.full(mask.shape, np.inf)
    for place in np.ndindex(mask.shape):
        if len(inside):
            away = ((inside - place) * scale) ** 2
            expected[place] = np.sqrt(away.sum(axis=1).min())
    np.testing.assert_allclose(distances_to(mask, spacing), expected, rtol=1e-12)


@given(drawn=masks())
def test_a_surface_touches_what_is_known_not_to_be_in_the_mask(drawn):
    mask, known, _ = drawn
    expected = np.zeros(mask.shape, bool)
    for place in np.argwhere(mask & known):
        for axis in range(mask.ndim):
            for step in (-1, 1):
                other = place.copy()
                other[axis] += step
                is_inside = 0 <= other[axis] < mask.shape[axis]
                other = tuple(other)
                if not is_inside or (known[other] and not mask[other]):
                    expected[tuple(place)] = True
    np.testing.assert_array_equal(surface_of(mask, known), expected)
    np.testing.assert_array_equal(
        surface_of(mask), surface_of(mask, np.ones_like(mask))
    )


def test_without_scipy_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    for function in (distances_to, surface_of):
        with pytest.raises(ImportError, match=r"pip install \"keras_trainfix\[dist"):
            function(np.ones((2, 2), bool))


@pytest.mark.parametrize(
    ("spacing", "message"),
    [
        (0, "positive numbers.*Received: spacing=0."),
        ([1.0, float("nan")], "positive numbers"),
        ([], "positive numbers"),
        ([1.0, 1.0, 1.0], "must have 2 numbers.*spacing=.1.0, 1.0, 1.0.."),
    ],
)
def test_spacing_that_does_not_fit(spacing, message):
    with pytest.raises(ValueError, match=message):
        spacing_of_axes(spacing, 2)


def test_spacing_of_all_axes():
    assert spacing_of_axes(None, 3) == (1.0, 1.0, 1.0)
    assert spacing_of_axes(np.float32(0.5), 2) == (0.5, 0.5)
    assert spacing_of_axes([1, 2], 2) == (1.0, 2.0)
