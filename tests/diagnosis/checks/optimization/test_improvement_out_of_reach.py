"""A `min_delta` that no improvement can exceed is found."""

import pytest
from keras import callbacks

from tests.diagnosis.checks.optimization.test_callback_mode_reversed import (
    ON,
    X,
    Y,
    diagnose,
    net,
)


def found(model, y, callback):
    diagnosis = diagnose(model, X, y, callbacks=[callback], fit=False)
    return [f for f in diagnosis.findings if f.code == "KTF420"]


@pytest.mark.parametrize("kind", [callbacks.EarlyStopping, callbacks.ReduceLROnPlateau])
@pytest.mark.parametrize("monitor", ["loss", "val_loss"])
def test_a_loss_that_is_smaller(kind, monitor):

    (finding,) = found(net(), Y, kind(monitor, min_delta=10.0))
    assert finding.severity == "error"
    assert "min_delta=10 on" in finding.message
    assert not found(net(), Y, kind(monitor, min_delta=0.01))
    assert not found(net(), Y, kind(monitor, min_delta=0))


def test_a_score_that_ends_at_1():
    model = net("accuracy", head="sigmoid", loss="binary_crossentropy")
    in_percent = callbacks.EarlyStopping("val_accuracy", min_delta=1)
    assert (
        "`val_accuracy` from min_delta=1 on" in found(model, ON, in_percent)[0].message
    )
    share = callbacks.EarlyStopping("val_accuracy", min_delta=0.01)
    assert not found(model, ON, share)


def test_what_is_not_known():
    assert not found(net("mae"), Y, callbacks.EarlyStopping("mae", min_delta=1e9))
    regularized = net()
    regularized.layers[0].kernel.regularizer = lambda w: 0.0
    stop = callbacks.EarlyStopping("loss", min_delta=1e9)
    assert not found(regularized, Y, stop)
    assert found(net(), Y, stop)
