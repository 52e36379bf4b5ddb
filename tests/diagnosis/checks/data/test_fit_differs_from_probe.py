"""What `fit` gets against the samples at hand."""

import numpy as np
import pytest

from tests.diagnosis.nets import inputs, judge, net, view

IDS = np.random.default_rng(0).integers(0, 4, 300)
X = (np.eye(4)[IDS] * 4 + inputs(300, 4)).astype("float32")
ORDER = np.array([1, 2, 3, 0])


def finding(in_fit, x=X, y=IDS):
    model = net(4, "softmax", "sparse_categorical_crossentropy", shape=(4,))
    return judge("KTF146", view(model, x, y, in_fit=in_fit))


@pytest.mark.parametrize(
    ("in_fit", "words"),
    [
        ((X / 255, IDS), "given samples spread"),
        (([(X[i : i + 30] - 40, IDS[i : i + 30]) for i in range(0, 90, 30)]), "away"),
        ((X, ORDER[IDS]), "in another order"),
        ((X, IDS + 1), "plus -1"),
    ],
)
def test_fit_differs(in_fit, words):
    found = finding(in_fit)
    assert found.severity == "warning"
    assert words in found.message


def test_the_same():
    assert finding((X[:100], IDS[:100])) is None
    assert finding((X[:100] * 1.5, IDS[:100])) is None
    assert finding((X[:100] * 15, IDS[:100])) is not None


def test_unknown_samples_of_fit():
    assert finding(None) is None
    once = iter([(X / 255, IDS)])
    assert finding(once) is None
    assert len(list(once)) == 1
    assert finding([(X / 255, IDS)]) is not None
