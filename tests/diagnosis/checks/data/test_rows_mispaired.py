"""Inputs that belong to the targets of other rows."""

import keras
import numpy as np
import pytest

from keras_trainfix import diagnose
from tests.diagnosis.nets import inputs, judge, net, view

X = inputs(400)
Y = X[:, :1] - X[:, 1:2] + 0.5 * inputs(400, 1, seed=3)


def finding(y, x=X):
    model = net(1, loss="mse", shape=x.shape[1:])
    return judge("KTF139", view(model, x, y))


@pytest.mark.parametrize("change", [lambda y: np.roll(y, 1, 0), lambda y: y[::-1]])
def test_rows_mispaired(change):
    found = finding(change(Y))
    assert found.severity == "error"
    assert "of their own row" in found.message
    assert finding(Y) is None


def test_the_fix_pairs_them():
    names = {"x": X, "y": Y[::-1], "np": np}
    exec(finding(Y[::-1]).fix, names)
    np.testing.assert_array_equal(names["y"], Y)
    names = {"x": X, "y": np.roll(Y, 2, 0), "np": np}
    exec(finding(names["y"]).fix, names)
    assert len(names["x"]) == 398
    assert finding(names["y"], names["x"]) is None


def test_files_by_name_and_by_number():
    by_name = np.argsort([str(number) for number in range(len(X))])
    for x, y in ((X[by_name], Y), (X, Y[by_name])):
        found = finding(y, x)
        assert "sorted by name (0, 1, 10, 100, ...)" in found.message
        names = {"x": x, "y": y, "np": np}
        exec(found.fix, names)
        assert finding(names["y"], names["x"]) is None
    assert finding(Y[by_name], X[by_name]) is None


def test_targets_that_nothing_predicts():
    assert finding(inputs(400, 1, seed=9)) is None
    assert finding(np.random.default_rng(0).permutation(Y)) is None
    assert finding(np.roll(Y, 1, 0)) is not None


def test_the_next_value_of_a_series():
    values = inputs(420, 1, seed=4)[:, 0]
    windows = np.stack([values[i : i + 12] for i in range(400)])
    following = values[12:412, None]  # noise: nothing predicts it but another row
    assert finding(following, windows) is None
    steps = np.cumsum(values)
    windows = np.stack([steps[i : i + 12] for i in range(400)])
    assert finding(np.diff(steps)[11:411, None], windows) is None
    up = (following > 0).astype("float32")
    assert finding(up, np.stack([values[i : i + 12] for i in range(400)])) is None
    assert finding(np.roll(Y, 1, 0)) is not None


@pytest.mark.parametrize("is_faulty", [True, False])
def test_it_is_the_first_finding(is_faulty):
    y = np.roll(Y, 1, 0) if is_faulty else Y
    model = net(1, loss=keras.losses.MeanSquaredError())
    found = diagnose(model, X, y, fit=False).findings
    codes = [one.code for one in found if one.severity != "note"]
    assert codes[:1] == (["KTF139"] if is_faulty else [])
