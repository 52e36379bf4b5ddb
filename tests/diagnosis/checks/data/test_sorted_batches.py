"""Batches that come class by class."""

import numpy as np
import pytest

from keras_trainfix import diagnose
from tests.diagnosis.nets import inputs, judge, net, view

IDS = np.repeat(np.arange(4), 64)
X = inputs(256)
SHUFFLED = np.random.default_rng(0).permutation(IDS)


def batches(ids, size=32):
    return [(X[i : i + size], ids[i : i + size]) for i in range(0, len(ids), size)]


def model(units=4):
    if units == 1:
        return net(1, "sigmoid", "binary_crossentropy")
    return net(units, "softmax", "sparse_categorical_crossentropy")


def finding(ids, units=4, size=32):
    return judge("KTF136", view(model(units), batches(ids, size)))


def test_sorted_batches():
    found = finding(IDS)
    assert found.severity == "error"
    assert "has 100% of it" in found.message
    assert finding(SHUFFLED) is None
    assert finding(IDS // 2, 1, 16) is not None
    assert finding(SHUFFLED // 2, 1, 16) is None


def test_a_shuffle_buffer_that_is_too_small():
    rng = np.random.default_rng(0)
    buffered = IDS[np.argsort(np.arange(256) + rng.uniform(0, 60, 256))]
    assert finding(buffered).severity == "warning"
    buffered = IDS[np.argsort(np.arange(256) + rng.uniform(0, 1000, 256))]
    assert finding(buffered) is None


def test_arrays_without_shuffle():
    for shuffle, is_found in ((False, True), (True, False)):
        found = judge("KTF136", view(model(), X, IDS, shuffle=shuffle))
        assert (found is not None) == is_found


def test_numbers_have_no_classes():
    regression = net(1, loss="mse")
    data = [(x, y[:, None].astype("float32")) for x, y in batches(IDS)]
    assert judge("KTF136", view(regression, data)) is None
    assert judge("KTF136", view(model(), batches(IDS))) is not None


@pytest.mark.parametrize("is_faulty", [True, False])
def test_it_is_the_first_finding(is_faulty):
    found = diagnose(model(), batches(IDS if is_faulty else SHUFFLED), fit=False)
    codes = [one.code for one in found.findings if one.severity != "note"]
    assert codes[:1] == (["KTF136"] if is_faulty else codes[:1])
    assert ("KTF136" in codes) == is_faulty
