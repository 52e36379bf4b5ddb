"""What an output is for."""

import keras
import numpy as np
import pytest

from tests.diagnosis.nets import inputs, net, view

X = inputs()
Y = (X[:, :1] > 0).astype("int32")
ROWS = np.eye(3)[Y[:, 0] * 2]


@pytest.mark.parametrize(
    ("units", "activation", "loss", "y", "task"),
    [
        (1, None, "mse", X[:, :1], "regression"),
        (1, "sigmoid", "binary_crossentropy", Y, "binary classification"),
        (1, "sigmoid", "mse", X[:, :1], "regression"),
        (3, "softmax", "sparse_categorical_crossentropy", Y, "binary classification"),
        (
            3,
            "softmax",
            "categorical_crossentropy",
            ROWS,
            "multi-class classification",
        ),
        (
            2,
            "sigmoid",
            "binary_crossentropy",
            X[:, :2] > 0,
            "multi-label classification",
        ),
        (3, "softmax", "mse", ROWS, "multi-class classification"),
        (3, None, keras.losses.CTC(), X, "unknown"),  # strings
    ],
)
def test_what_an_output_is_for(units, activation, loss, y, task):
    assert view(net(units, activation, loss), X, np.asarray(y, "float32")).task == task
