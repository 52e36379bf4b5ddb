"""Inputs that are numbers, and their scale."""

from types import SimpleNamespace

import numpy as np
import pytest

from keras_trainfix.diagnosis.observe.inputs import (
    feature_sizes,
    may_be_unscaled,
    numeric_inputs,
)


def test_texts_are_no_numbers():
    inputs = {"a": np.ones((2, 3)), "b": np.array(["x", "y"]), "c": np.arange(2)}
    assert set(numeric_inputs(SimpleNamespace(inputs=inputs))) == {"a", "c"}


def test_the_size_of_features_is_of_finite_numbers():
    array = np.array([[3.0, 1.0], [4.0, np.nan]])
    np.testing.assert_allclose(feature_sizes(array), [12.5**0.5, 0.5**0.5])
    assert feature_sizes(np.array([3.0, 4.0])) == pytest.approx(12.5**0.5)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [(1, False), (9, False), (20, True), (1e-4, True), (0, False)],
)
def test_scales_far_from_one(scale, expected):
    array = scale * np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert may_be_unscaled(array) is expected
