"""Losses that mix up samples are found, and those that compare pairs are not."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

import keras_trainfix as kt
from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import run, sequential

X = inputs()
REAL = 3 * X.sum(1)
BINARY = (X[:, :1] > 0).astype("float32")


class Squares(keras.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


class Root(keras.Loss):
    def call(self, y_true, y_pred):
        return ops.sqrt(ops.mean(ops.square(y_true - y_pred)))


class Logarithms(keras.Loss):
    def call(self, y_true, y_pred):
        y_pred = ops.clip(y_pred, 1e-6, 1 - 1e-6)
        return -(y_true * ops.log(y_pred) + (1 - y_true) * ops.log(1 - y_pred))


class Ranks(keras.Loss):
    """Wants targets of one axis, and does the rest itself."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.abs(ops.expand_dims(y_true, -1) - y_pred))


def flat_squares(y_true, y_pred):
    return ops.mean(ops.square(ops.reshape(y_true, (-1,)) - y_pred))


def squares(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred))


@pytest.mark.parametrize("kind", ["float32", "float64", "int64"])
@pytest.mark.parametrize("loss", [Squares(), Root(), flat_squares])
def test_it_is_what_fit_does(loss, kind):
    model = net(loss=loss)
    y = REAL.astype(kind)
    finding = run("KTF209", model, X, y)
    assert finding.severity == "error"
    p = model.predict(X, verbose=0)[:32]
    wide = ((y[:32] - p) ** 2).mean()
    wide = np.sqrt(wide) if isinstance(loss, Root) else wide
    assert finding.evidence["value"] == pytest.approx(wide, rel=1e-3)
    assert finding.evidence["samples"] == 32
    reported = model.evaluate(X[:32], y[:32], batch_size=32, verbose=0)
    # The samples are taken from the whole, here all of it.
    assert reported == pytest.approx(wide, rel=1e-3)


def test_a_cross_entropy_that_broadcasts():
    model = net(1, "sigmoid", Logarithms())
    assert run("KTF209", model, X, BINARY[:, 0]).severity == "error"
    assert run("KTF209", model, X, BINARY) is None


def test_a_likelihood_of_a_mean_and_a_variance():
    def likelihood(y_true, y_pred):
        mean, log_variance = y_pred[:, 0], y_pred[:, 1]
        error = ops.square(y_true - mean) * ops.exp(-log_variance)
        return ops.mean(log_variance + error)

    def repaired(y_true, y_pred):
        return likelihood(y_true[:, 0], y_pred)

    y = REAL[:, None]
    assert run("KTF209", net(2, loss=likelihood), X, y).severity == "error"
    assert run("KTF209", net(2, loss=repaired), X, y) is None


def test_a_flat_head():
    model = sequential(layers.Dense(1), layers.Reshape(()), loss=Squares())
    assert run("KTF209", model, X, REAL[:, None]).evidence["prediction_rank"] == 1
    assert run("KTF209", model, X, REAL) is None


def test_losses_that_compare_pairs_right():
    def predictions_alone(y_true, y_pred):
        return ops.mean(y_pred)

    def moments(y_true, y_pred):  # of two distributions
        return ops.square(ops.mean(y_true) - ops.mean(y_pred)) + ops.square(
            ops.std(y_true) - ops.std(y_pred)
        )

    def correlation(y_true, y_pred):
        a, b = y_true - ops.mean(y_true), y_pred - ops.mean(y_pred)
        return -ops.mean(a * b) / (ops.std(a) * ops.std(b))

    for loss in (
        "mse",
        squares,
        Ranks(),
        predictions_alone,
        moments,
        correlation,
        kt.MaskedCrossentropy(),
        lambda a, b: abs(a - b),
    ):
        assert run("KTF209", net(loss=loss), X, REAL) is None
    for y in (REAL[:, None], 1e6 + REAL[:, None]):
        assert run("KTF209", net(loss=Squares()), X, y) is None
        assert run("KTF209", net(loss=squares), X, y) is None
    assert run("KTF209", net(loss=Squares()), X, np.ones(64)) is None
    assert run("KTF209", net(3, loss=Squares()), X, X[:, :3]) is None
    assert run("KTF209", net(loss=Squares()), X) is None


@pytest.mark.parametrize(("units", "columns"), [(1, 5), (5, 1)])
@pytest.mark.parametrize("loss", ["mse", "mae", keras.losses.Huber()])
def test_columns_and_units_that_do_not_fit(loss, units, columns):
    model = net(units, loss=loss)
    finding = run("KTF209", model, X, X[:, :columns])
    assert finding.severity == "warning"
    reported = model.evaluate(X, X[:, :columns], batch_size=64, verbose=0)
    assert finding.evidence["value"] == pytest.approx(reported, rel=1e-4)
    assert run("KTF209", net(columns, loss=loss), X, X[:, :columns]) is None


@settings(max_examples=10, deadline=None)
@given(
    samples=st.integers(6, 60),
    width=st.integers(1, 20),
    offset=st.sampled_from([0.0, -50.0, 1000.0]),
    seed=st.integers(0, 99),
)
def test_shapes_that_broadcast_of_any_size(samples, width, offset, seed):
    x = inputs(samples, width, seed)
    y = offset + x.sum(1)
    model = net(shape=(width,), loss=Squares())
    assert run("KTF209", model, x, y)
    assert run("KTF209", model, x, y[:, None]) is None
