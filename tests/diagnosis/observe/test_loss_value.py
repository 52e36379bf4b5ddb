"""The value of a loss is the one that Keras reports for the same samples."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_trainfix as kt
from keras_trainfix.diagnosis.observe.loss_value import loss_value, value_of
from tests.diagnosis.nets import inputs, net, view

X = inputs()
Y = X[:, :1]
IDS = np.digitize(X[:, 0], [-0.5, 0.5])


class Squares(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


def squares(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred))


@pytest.mark.parametrize(
    ("units", "activation", "loss", "y"),
    [
        (1, None, "mse", Y),
        (1, None, "mse", Y[:, 0].astype("float64")),
        (1, None, squares, Y[:, 0]),
        (1, None, Squares(), Y),
        (1, None, Squares(), Y[:, 0]),  # which broadcasts, in `evaluate` as well
        (1, "sigmoid", "binary_crossentropy", IDS > 1),
        (1, "sigmoid", keras.losses.Dice(), (IDS > 1).astype("uint8")[:, None]),
        (3, "softmax", "sparse_categorical_crossentropy", IDS),
        (3, "softmax", "categorical_crossentropy", np.eye(3)[IDS]),
        (3, None, kt.MaskedCrossentropy(from_logits=True), IDS),
    ],
)
def test_it_is_what_evaluate_reports(units, activation, loss, y):
    model = net(units, activation, loss)
    expected = model.evaluate(X, y, batch_size=len(X), verbose=0)
    assert loss_value(view(model, X, y)) == pytest.approx(expected, rel=1e-4)


def test_penalties_are_left_out():
    model = net(loss="mse")
    expected = loss_value(view(model, X, Y))
    model.layers[0].kernel_regularizer = keras.regularizers.L2(9.0)
    assert loss_value(view(model, X, Y)) == expected


def test_each_output_has_its_own():
    image = keras.Input((6,))
    outputs = {"a": keras.layers.Dense(1)(image), "b": keras.layers.Dense(1)(image)}
    model = keras.Model(image, outputs)
    model.compile("adam", {"a": "mse", "b": "mae"}, loss_weights={"a": 9.0, "b": 9.0})
    y = {"a": Y, "b": Y}
    a, b = (view(model, X, y, output=i) for i in (0, 1))
    error = Y - a.predictions
    assert loss_value(a) == pytest.approx((error**2).mean(), rel=1e-5)
    assert loss_value(b) == pytest.approx(np.abs(Y - b.predictions).mean(), rel=1e-5)


def test_none_where_it_cannot_be_told():
    def fails(y_true, y_pred):
        raise RuntimeError("no")

    assert loss_value(view(net(), X, Y)) is None  # not compiled
    assert loss_value(view(net(loss="mse"), X)) is None  # no targets
    assert loss_value(view(net(3, loss="mse"), X, X[:, :5])) is None
    assert loss_value(view(net(loss=fails), X, Y)) is None
    assert value_of("mse", np.full((4, 1), np.nan), np.zeros((4, 1))) is None


def test_nothing_of_the_model_changes():
    model = net(loss="mse", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    before = [value.copy() for value in model.get_weights()]
    metrics = model.get_metrics_result()
    loss_value(view(model, X, Y))
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.get_metrics_result() == metrics
    with keras.name_scope("x"):
        first = keras.Sequential().name
    loss_value(view(model, X, Y))
    number = int(first.rpartition("_")[2])
    assert keras.Sequential().name == f"sequential_{number + 1}"
