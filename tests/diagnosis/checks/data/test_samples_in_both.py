"""Validation samples that the model is trained on."""

import numpy as np
import pytest

from keras_trainfix import diagnose
from tests.diagnosis.nets import inputs, judge, net, view

X = inputs(400)
Y = (X[:, :1] > 0).astype("float32")


def finding(x_val, x=X):
    data = (x_val, np.zeros((len(x_val), 1)))
    model = net(1, "sigmoid", "binary_crossentropy")
    y = np.zeros((len(x), 1))
    return judge("KTF143", view(model, x, y, validation_data=data))


def test_a_share_of_the_validation():
    other = inputs(80, seed=5)
    found = finding(np.concatenate([X[:20], other]))
    assert (found.evidence["found"], found.evidence["examined"]) == (20, 100)
    assert finding(np.concatenate([X[:5], other])) is None


def test_oversampled_before_the_split():
    rows = np.random.default_rng(0).integers(0, 400, 600)
    assert finding(X[rows[500:]], X[np.unique(rows[:500])]) is not None
    assert finding(X[300:], X[:300]) is None


@pytest.mark.parametrize("is_faulty", [True, False])
def test_validation_data_that_are_the_training_data(is_faulty):
    given = {"validation_data": (X, Y)} if is_faulty else {"validation_split": 0.2}
    model = net(1, "sigmoid", "binary_crossentropy")
    found = diagnose(model, X, Y, fit=False, **given).findings
    codes = [one.code for one in found if one.severity != "note"]
    assert codes == (["KTF143"] if is_faulty else [])
