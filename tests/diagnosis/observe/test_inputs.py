"""Inputs that are numbers, and their scale."""

import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_trainfix import diagnose
from keras_trainfix.diagnosis.observe.inputs import (
    feature_sizes,
    hint_for_call,
    may_be_unscaled,
    numeric_inputs,
)
from keras_trainfix.diagnosis.observe.sample import Sample


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


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (Sample(np.ones(5)), "Data must be batched"),
        (Sample(*[np.ones((5, 3))] * 3), r"put three inputs into a tuple of their own"),
        (
            Sample(np.ones((5, 4)), np.ones(5)),
            r"shape \(4,\), and the model takes \(3,\)",
        ),
        (Sample([np.ones((5, 3))] * 2), r"Check them by `model\(x\[:1\]\)`"),
    ],
)
def test_a_hint_for_samples_that_do_not_fit(sample, words):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    assert re.search(words, hint_for_call(model, sample))


def test_images_without_targets_are_not_taken_for_weights():
    class Triplets(keras.Model):
        def __init__(self):
            super().__init__()
            self.embedding = keras.layers.Dense(2)

        def call(self, x):
            anchor, positive, negative = x
            return self.embedding(anchor), self.embedding(positive - negative)

    model, x = Triplets(), np.random.default_rng(0).normal(size=(8, 3))
    model([x, x, x])
    with pytest.raises(ValueError, match=r"put three inputs into a tuple"):
        diagnose(model, [(x, x, x)] * 3)
    assert diagnose(model, [((x, x, x),)] * 3, fit=False).skipped.keys() >= {"targets"}
