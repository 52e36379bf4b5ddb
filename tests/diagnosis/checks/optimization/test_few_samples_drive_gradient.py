"""A loss that serves a few samples is found, and errors in few samples are not."""

import numpy as np
from keras import ops

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


def test_a_loss_that_takes_rows_for_columns():
    y = np.concatenate([X[:, :1], X[:, 1:2]], 1)

    def of_rows(y_true, y_pred):
        return ops.square(y_true[0] - y_pred[0]) + ops.square(y_true[1] - y_pred[1])

    def of_columns(y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)

    finding = run("KTF413", net(2, None, of_rows), X, y)
    assert (finding.severity, finding.evidence["rows"]) == ("error", [0, 1])
    assert "Only rows 0, 1 of a batch of 128" in finding.message
    assert run("KTF413", net(2, None, of_columns), X, y) is None


def test_a_few_labeled_samples_are_no_rows():
    y = np.where(np.arange(128)[:, None] < 3, X[:, :1], np.nan)

    def of_labeled(y_true, y_pred):
        is_labeled = ops.logical_not(ops.isnan(y_true))
        error = ops.where(is_labeled, y_true, y_pred) - y_pred
        return ops.mean(ops.square(error), axis=-1)

    assert run("KTF413", net(1, None, of_labeled), X, y) is None


def test_the_page():
    assert_page("KTF413")
