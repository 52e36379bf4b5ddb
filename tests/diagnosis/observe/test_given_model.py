"""What is no model is named, with what to do."""

from pathlib import Path

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.observe.given_model import check_model


def test_a_model_is_one():
    check_model(keras.Sequential(), np.zeros(3))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Path("a.keras"), r"load_model\('a.keras'\)"),
        (np.zeros((2, 3)), r"numpy.ndarray of shape \(2, 3\)"),
        (keras.Model, "the class Model"),
    ],
)
def test_anything_else_is_named(given, expected):
    with pytest.raises(TypeError, match=expected):
        check_model(given)
