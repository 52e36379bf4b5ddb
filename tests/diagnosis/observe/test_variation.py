"""What varies between samples, against NumPy written the long way."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.observe.variation import (
    is_finite,
    root_mean_square,
    same_values,
    varies,
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[1.0], [1.0]]), False),
        (np.array([[1.0], [1.1]]), True),
        (np.array([[1.0, 5.0], [1.0, 5.0]]), False),
        (np.array([[1e6], [1e6 + 1]]), False),  # rounding
        (np.array([[1e6], [1e6 + 100]]), True),
        (np.array([[1.0], [np.nan]]), True),
        (np.array([[1.0]]), False),  # a single sample
        (np.array(["a", "a"]), False),
        (np.array(["a", "b"]), True),
        (np.array(3.0), False),
    ],
)
def test_what_varies(values, expected):
    assert varies(values) is expected


def test_what_is_finite():
    assert is_finite(np.array([1.0, 2.0]))
    assert is_finite(np.array([1, 2]))
    assert not is_finite(np.array([1.0, np.inf]))
    assert not is_finite(np.array([1.0, np.nan]))


def test_the_root_mean_square(rng):
    values = rng.normal(size=(5, 3))
    expected = (sum(v**2 for v in values.ravel()) / 15) ** 0.5
    assert root_mean_square(values) == pytest.approx(expected)
    assert root_mean_square(np.zeros((0, 3))) == 0


def test_values_of_the_first_samples_are_those_of_a_prediction(rng):
    prediction = rng.normal(size=(8, 3))
    assert same_values(prediction, prediction)
    assert same_values(prediction[:2], prediction)
    assert same_values(prediction.reshape(4, 6), prediction)
    assert not same_values(prediction[1:], prediction)
    assert not same_values(prediction[:0], prediction)
    holes = np.where(prediction > 1, np.nan, prediction)
    assert same_values(holes, holes)
