"""Sample weights of one output."""

from types import SimpleNamespace

import numpy as np
import pytest

from keras_trainfix.diagnosis.observe.sample_weights import has_weight, weights_of

A, B = np.array([0.0, 1.0]), np.array([2.0, 0.0])


def view(weights, index=0):
    sample = SimpleNamespace(sample_weight=weights)
    snapshot = SimpleNamespace(sample=sample)
    return SimpleNamespace(snapshot=snapshot, name="ab"[index], index=index)


@pytest.mark.parametrize(
    ("weights", "index", "expected"),
    [
        (A, 0, A),
        ([A, B], 1, B),
        ((A,), 1, None),
        ({"b": B}, 1, B),
        ({"b": B}, 0, None),
        (None, 0, None),
    ],
)
def test_the_weights_of_an_output(weights, index, expected):
    assert weights_of(view(weights, index)) is expected


def test_places_that_count():
    assert has_weight(view(A), 2).tolist() == [False, True]
    assert has_weight(view(A), 6).tolist() == [False] * 3 + [True] * 3  # places
    assert has_weight(view(None), 3).all()
    assert has_weight(view(A), 3).all()  # they do not fit
