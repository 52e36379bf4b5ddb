"""The user's own step is tried as `fit` does it, and changes nothing."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_trainfix.diagnosis.diagnose import diagnose
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs, net

X = inputs(64, 6)
Y = X[:, :1] + 1


def test_a_loss_for_one_size_of_batches():
    def loss(y_true, y_pred):
        return ops.mean(ops.square(y_true - ops.reshape(y_pred, (16, 1))))

    assert "KTF211" not in diagnose(net(loss=loss), X, Y, fit=False).codes


def test_the_model_stays_as_it_is():
    model = net(loss="mse", metrics=["mae", keras.metrics.R2Score()])
    before = [w.copy() for w in model.get_weights()]
    assert Snapshot(model, X, Y).step_failure is None
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    first = model.fit(X, Y, epochs=1, verbose=0, shuffle=False).history
    again = net(loss="mse", metrics=["mae", keras.metrics.R2Score()])
    assert first == again.fit(X, Y, epochs=1, verbose=0, shuffle=False).history


@pytest.mark.parametrize("is_right", [True, False])
def test_penalties_raise_nothing(is_right):
    def loss(y_true, y_pred):
        return ops.mean(y_true - y_pred if is_right else y_true.no_such_name)

    head = layers.Dense(1, kernel_regularizer="l2", activity_regularizer="l1")
    model = keras.Sequential([keras.Input((6,)), head])
    model.compile("adam", loss)

    codes = diagnose(model, X, Y).codes
    assert ("KTF211" in codes) != is_right
