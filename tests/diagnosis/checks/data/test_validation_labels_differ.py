"""Validation targets of another coding, order or scale."""

import numpy as np
import pytest

from tests.diagnosis.nets import inputs, judge, net, view

IDS = np.random.default_rng(0).integers(0, 4, 360)
X = (np.eye(4)[IDS] * 4 + inputs(360, 4)).astype("float32")
TRAIN, HELD_OUT = slice(240), slice(240, None)
ORDER = np.array([1, 0, 3, 2])


def finding(y_val, loss="sparse_categorical_crossentropy", y=IDS, x_val=X[HELD_OUT]):
    data = (x_val[: len(y_val)], y_val)
    units = 1 if loss == "mse" else 4
    model = net(units, "softmax" if units > 1 else None, loss, shape=(4,))
    return judge("KTF142", view(model, X[TRAIN], y[TRAIN], validation_data=data))


@pytest.mark.parametrize(
    ("y_val", "words"),
    [
        (np.eye(4)[IDS[HELD_OUT]], "one-hot rows"),
        (IDS[HELD_OUT] + 1, "plus 1"),
        (ORDER[IDS[HELD_OUT]], "class 0 to 1, 1 to 0"),
        (np.where(IDS[HELD_OUT] == 3, 2, IDS[HELD_OUT]), "class 3 only among"),
    ],
)
def test_classes(y_val, words):
    found = finding(y_val)
    assert found.severity == "warning"
    assert words in found.message


def test_the_same_classes():
    assert finding(IDS[HELD_OUT]) is None
    assert finding(IDS[HELD_OUT][:20]) is None
    assert finding(IDS[HELD_OUT].astype("float32")[:, None]) is None
    assert finding(ORDER[IDS[HELD_OUT]]) is not None


def test_one_hot_rows_in_another_order():
    loss, rows = "categorical_crossentropy", np.eye(4)
    given = {"loss": loss, "y": rows[IDS]}
    assert "another order" in finding(rows[ORDER[IDS[HELD_OUT]]], **given).message
    assert finding(rows[IDS[HELD_OUT]], **given) is None


def test_numbers_of_another_scale():
    y = X[:, :1] + 0.1
    given = {"loss": "mse", "y": y}
    assert "Targets: the validation" in finding(100 * y[HELD_OUT], **given).message
    assert finding(y[HELD_OUT], **given) is None


def test_order_is_not_guessed_from_noise():
    noise = inputs(120, 4, seed=9)
    assert finding(ORDER[IDS[HELD_OUT]], x_val=noise) is None
    assert finding(ORDER[IDS[HELD_OUT]]) is not None
