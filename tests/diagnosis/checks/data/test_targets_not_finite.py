"""NaN and infinity among the targets are found unless the loss masks them."""

import keras
import numpy as np
import pytest

from tests.diagnosis.checks.data.cases import (
    classes,
    findings,
    only,
    real,
)
from tests.diagnosis.nets import inputs, net


def masked(y, predictions):
    known = keras.ops.logical_not(keras.ops.isnan(y))
    error = keras.ops.where(known, y, predictions) - predictions
    return keras.ops.mean(keras.ops.square(error))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_targets_not_finite(bad, loss):
    x, y = real()
    y[[3, 5]] = bad
    finding = only(net(loss=loss), x, y)
    assert (finding.code, finding.name) == ("KTF113", "targets-not-finite")
    assert finding.severity == "error"
    assert finding.evidence["first_samples"] == [3, 5]


def test_labels_not_finite():
    y = np.eye(3, dtype="float32")[classes()]
    y[3] = np.nan
    model = net(3, "softmax", "categorical_crossentropy")
    assert only(model, inputs(), y).code == "KTF113"


def test_nan_that_a_loss_masks():
    x, y = real()
    y[3] = np.nan
    assert findings(net(loss=masked), x, y) == {}
    plain = net(loss=lambda y, p: keras.ops.mean(keras.ops.square(y - p)))
    assert list(findings(plain, x, y)) == ["KTF113"]
