"""Class weights that grow with the counts are found; all others are left alone."""

import keras
import numpy as np
import pytest

from keras_trainfix import diagnose
from tests.diagnosis.nets import inputs, judge, net, view

X = inputs(200)
COUNTS = np.array([120, 60, 20])
Y = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], COUNTS))
RARE = (Y == 2).astype("int32")


def classifier():
    return net(3, "softmax", "sparse_categorical_crossentropy")


def binary():
    return net(1, "sigmoid", "binary_crossentropy")


def finding(model, y, **given):
    return judge("KTF145", view(model, X, y, **given))


def test_the_wrong_way_round():
    found = finding(binary(), RARE, class_weight={0: 9.0, 1: 1 / 9})
    assert found.severity == "error"
    assert "class 0 has 90.0% and 9" in found.message
    weights = np.array(found.evidence["weighted_shares"])
    assert weights[0] > 0.99
    assert "class_weight = {0: 0.556, 1: 5.0}" in found.fix


def test_proportional_to_the_counts():
    given = dict(enumerate(COUNTS / 200))
    assert finding(classifier(), Y, class_weight=given).severity == "warning"
    one_hot = net(3, "softmax", "categorical_crossentropy")
    assert finding(one_hot, np.eye(3)[Y], class_weight=given) is not None


@pytest.mark.parametrize(
    "given",
    [
        dict(enumerate(200 / COUNTS)),
        dict(enumerate(1 / np.sqrt(COUNTS))),
        {0: 1.0, 1: 1.0, 2: 1.0},
        {0: 1.0, 1: 5.0, 2: 1.0},  # one class on purpose
        {0: 1.2, 1: 1.0, 2: 0.8},
        None,
    ],
)
def test_weights_that_are_not_inverted(given):
    assert finding(classifier(), Y, class_weight=given) is None
    inverted = dict(enumerate(COUNTS.tolist()))
    assert finding(classifier(), Y, class_weight=inverted) is not None


def test_classes_of_nearly_the_same_size():
    half = (np.arange(200) % 5 < 3).astype("int32")
    assert finding(binary(), half, class_weight={0: 1.0, 1: 4.0}) is None
    assert finding(binary(), RARE, class_weight={0: 4.0, 1: 1.0}) is not None


def test_sample_weights_by_class():
    weights = np.where(RARE, 0.1, 2.0)
    assert finding(binary(), RARE, sample_weight=weights).code == "KTF145"
    assert finding(binary(), RARE, sample_weight=np.where(RARE, 5.0, 1.0)) is None


def test_a_regression_has_no_classes():
    model = net(1, loss="mse")
    weights = np.where(RARE, 0.1, 2.0)
    assert finding(model, X[:, :1], sample_weight=weights) is None
    assert finding(binary(), RARE, sample_weight=weights) is not None


def test_odd_weights():
    weights = np.where(RARE, 0.1, 2.0)
    for value, expected in ((np.nan, True), (0.0, True), (np.inf, False)):
        weights[0] = value
        assert (finding(binary(), RARE, sample_weight=weights) is not None) == expected


@pytest.mark.parametrize("is_faulty", [True, False])
def test_it_is_the_first_finding(is_faulty):
    given = {0: 9.0, 1: 1 / 9} if is_faulty else {0: 1.0, 1: 9.0}
    model = net(1, "sigmoid", keras.losses.BinaryCrossentropy())
    found = diagnose(model, X, RARE, class_weight=given, fit=False).findings
    codes = [one.code for one in found if one.severity != "note"]
    assert codes[:1] == (["KTF145"] if is_faulty else [])


def test_weights_in_fit_make_up_for_rare_classes():
    y = np.zeros(200, "int32")
    y[::40] = 1
    weighted = diagnose(binary(), X, y, class_weight={0: 0.5, 1: 20.0}, fit=False)
    plain = diagnose(binary(), X, y, fit=False)
    assert "KTF125" in [one.code for one in plain.findings]
    assert "KTF125" not in [one.code for one in weighted.findings]
