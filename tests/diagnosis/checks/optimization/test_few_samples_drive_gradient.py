"""A loss that serves a few samples is found, and errors in few samples are not."""

import numpy as np

from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import answers, assert_page, run

X = inputs(128)
Y = np.abs(X[:, :1]) + 1


def with_zeros(count):
    y = Y.copy()
    y[:count] = 0
    return y


def test_a_percentage_of_0():
    finding = run("KTF413", net(1, None, "mape"), X, with_zeros(4))
    assert finding.severity == "warning"
    assert finding.message.startswith("4 of 128 samples")
    assert "targets are 0" in finding.message
    assert finding.evidence["largest"] == [0, 1, 2, 3]
    assert run("KTF413", net(1, None, "mae"), X, with_zeros(4)) is None
    assert run("KTF413", net(1, None, "mape"), X, Y) is None


def test_targets_that_are_larger_by_orders_of_magnitude():
    y = Y.copy()
    y[:3] = 1e7
    assert "1e+07" in run("KTF413", net(1, None, "mse"), X, y).message
    assert run("KTF413", net(1, None, "mae"), X, y) is None


def test_a_skewed_target_is_nothing():
    """Lognormal, with a factor of three: as prices and counts are."""
    y = np.exp(1.1 * X[:, :1])
    assert run("KTF413", net(1, None, "mse"), X, y) is None
    y[7] = 1e7
    assert run("KTF413", net(1, None, "mse"), X, y)


def test_a_model_that_has_learned():
    model = net(1, None, "mape")
    y = answers(model, X)
    assert run("KTF413", model, X, y) is None
    assert run("KTF413", model, X, with_zeros(4))


def test_the_page():
    assert_page("KTF413")
