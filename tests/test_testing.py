"""`assert_learns`: a gate for the tests of others."""

import pytest

from keras_trainfix.testing import assert_learns
from tests.diagnosis.nets import inputs, net

X = inputs()
ON = (X[:, :1] + X[:, 1:2] ** 2 > 0.5).astype("float32")


def test_a_sound_model_passes():
    model = net(1, "sigmoid", "binary_crossentropy")
    before = model.get_weights()
    assert assert_learns(model, X, ON, verbose=0).ok
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_a_fault_is_named():
    model = net(1, "softmax", "binary_crossentropy")
    with pytest.raises(AssertionError, match=r"(?s)\(KTF201\).*1\. KTF201 softmax-on"):
        assert_learns(model, X, ON, fit=False)
    accepted = assert_learns(model, X, ON, fit=False, ignore=["softmax-on-one-unit"])
    assert accepted.codes[0] == "KTF201"


@pytest.mark.parametrize("what", ["targets", "compile"])
def test_what_could_not_be_judged_fails(what):
    loss = None if what == "compile" else "binary_crossentropy"
    model = net(1, "sigmoid", loss)
    with pytest.raises(AssertionError, match="No targets|not compiled"):
        assert_learns(model, X, None if what == "targets" else ON, verbose=0)


def test_an_unknown_code():
    with pytest.raises(ValueError, match="Received: 'KTF999'"):
        assert_learns(net(), X, ON, ignore=["KTF999"])
