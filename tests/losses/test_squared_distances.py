"""Distances by operations of Keras equal those of SciPy, which may take over."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from keras_trainfix.losses.squared_distances import squared_distances
from tests.losses.cases import few_examples
from tests.losses.reference import array, tensor

SHAPES = [(2, 7, 9, 2), (1, 4, 3, 6, 1), (1, 1, 12, 1)]


MODULE = "keras_trainfix.losses.squared_distances.has_scipy"


@pytest.fixture(params=[False, True], ids=["ops", "scipy"], scope="module")
def by_scipy(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODULE, lambda: request.param)
        yield


@few_examples
@given(data=st.data())
def test_they_are_those_of_scipy(by_scipy, data):
    shape = data.draw(st.sampled_from(SHAPES))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    seeds = rng.random(shape) < data.draw(st.sampled_from([0.02, 0.2, 0.9]))
    spacing = data.draw(st.sampled_from([[1.0] * 3, [2.0, 0.5, 3.0]]))
    spacing = spacing[: len(shape) - 2]
    found = array(squared_distances(tensor(seeds), spacing, "float32"))
    for image in range(shape[0]):
        for index in range(shape[-1]):
            mask = seeds[image, ..., index]
            if not mask.any():
                assert np.isinf(found[image, ..., index]).all()
                continue
            wanted = ndimage.distance_transform_edt(~mask, sampling=spacing)
            np.testing.assert_allclose(
                found[image, ..., index], wanted**2, rtol=1e-5, atol=1e-6
            )


@pytest.mark.parametrize("size", [1, 2, 200])
def test_a_single_seed_is_seen_from_everywhere(by_scipy, size):
    seeds = np.zeros((1, size, 3, 1), bool)
    seeds[0, 0, 0] = True
    found = array(squared_distances(tensor(seeds), [1.0, 1.0], "float32"))
    rows, columns = np.mgrid[:size, :3]
    np.testing.assert_array_equal(found[0, ..., 0], rows**2 + columns**2)
