"""The spread is that of NumPy in float64, however small beside the mean."""

import keras
import numpy as np
import pytest

import keras_trainfix as kt
from tests.metrics.helpers import COMPILED, message


def expected(y_true, y_pred, weights=None):
    """Root of the mean ratio of variances of the outputs that vary."""
    y_true, y_pred = (
        np.asarray(y, "float64").reshape(-1, y.shape[-1]) for y in (y_true, y_pred)
    )
    weights = np.ones(len(y_true)) if weights is None else weights.ravel()
    variances = []
    for y in (y_pred, y_true):
        mean = np.average(y, axis=0, weights=weights)
        variances.append(np.average((y - mean) ** 2, axis=0, weights=weights))
    varies = variances[1] > 0
    return np.sqrt((variances[0][varies] / variances[1][varies]).mean())


def updated(metric, y_true, y_pred, batch_size, weights=None):
    for start in range(0, len(y_true), batch_size):
        part = slice(start, start + batch_size)
        metric.update_state(
            y_true[part], y_pred[part], None if weights is None else weights[part]
        )
    return float(metric.result())


@pytest.mark.parametrize("batch_size", [1, 7, 40])
@pytest.mark.parametrize("offset", [0, 1e3, -1e5])
def test_regression_with_several_outputs(rng, batch_size, offset):
    y = (rng.normal(size=(40, 3)) * [1, 10, 100] + offset).astype("float32")
    p = (0.3 * y + rng.normal(size=(40, 3)) + offset).astype("float32")
    wanted = expected(y, p)
    assert updated(kt.PredictionSpread(), y, p, batch_size) == pytest.approx(
        wanted, rel=1e-4
    )
    root = np.sqrt(p.astype("float64").var(0).mean())
    metric = kt.PredictionSpread(relative=False)
    assert updated(metric, y, p, batch_size) == pytest.approx(root, rel=1e-4)
    root = np.sqrt(y.astype("float64").var(0).mean())
    assert updated(kt.TargetSpread(), y, p, batch_size) == pytest.approx(root, rel=1e-4)
    if batch_size == 40:
        assert float(kt.prediction_spread(y, p)) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("constant", [0.0, 0.1, 12345.678])
def test_a_constant_answer_has_no_spread(rng, constant):
    y = rng.normal(size=(64, 2))
    assert updated(kt.PredictionSpread(), y, np.full((64, 2), constant), 16) < 1e-6


def test_targets_that_never_vary_are_left_out(rng):
    y = np.stack([rng.normal(size=50), np.ones(50)], -1).astype("float32")
    assert updated(kt.PredictionSpread(), y, y * 0.5, 10) == pytest.approx(0.5)
    assert np.isnan(updated(kt.PredictionSpread(), np.ones(4), np.arange(4.0), 2))
    assert np.isnan(float(kt.PredictionSpread().result()))


@pytest.mark.parametrize(
    ("true", "pred"), [((9,), (9, 1)), ((9, 1), (9,)), ((9,), (9,))]
)
def test_a_last_axis_of_1_may_be_missing(rng, true, pred):
    y = rng.normal(size=9)
    result = updated(kt.PredictionSpread(), y.reshape(true), y.reshape(pred) / 4, 3)
    assert result == pytest.approx(0.25, rel=1e-5)


@pytest.mark.parametrize("from_logits", [False, True])
def test_classes_are_compared_with_one_hot_labels(rng, from_logits):
    y = rng.choice([0, 1, 2, 255], (4, 5, 6))
    logits = rng.normal(size=(4, 5, 6, 3)).astype("float32")
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    valid = y != 255
    wanted = expected(np.eye(3)[y[valid]], p[valid])
    logits[~valid] = p[~valid] = np.nan
    metric = kt.PredictionSpread(ignore_class=255, from_logits=from_logits)
    result = updated(metric, y, logits if from_logits else p, 3)
    assert result == pytest.approx(wanted, rel=1e-5)


def test_weights_of_samples(rng):
    y, p = rng.normal(size=(2, 20, 2))
    weights = rng.integers(0, 3, 20).astype("float32")
    result = updated(kt.PredictionSpread(), y, p, 6, weights)
    assert result == pytest.approx(expected(y, p, weights), rel=1e-5)


def test_in_compile_it_separates_a_collapsed_net_from_one_that_learns(rng):
    x = rng.normal(size=(64, 4)).astype("float32")
    y = x @ np.float32([[1], [2], [3], [4]]) + 7
    spreads = {}
    for name, rate in (("learns", 0.1), ("collapsed", 0.0)):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.set_weights([np.zeros((4, 1)), np.full(1, y.mean())])
        model.compile(
            keras.optimizers.SGD(rate),
            "mse",
            metrics=[kt.PredictionSpread(), kt.TargetSpread()],
            **COMPILED,
        )
        model.fit(x, y, epochs=20, verbose=0)
        logs = model.evaluate(x, y, batch_size=10, verbose=0, return_dict=True)
        spreads[name] = logs["prediction_spread"]
        assert logs["target_spread"] == pytest.approx(y.std(), rel=1e-5)
    assert spreads["collapsed"] < 1e-5
    assert spreads["learns"] == pytest.approx(1, abs=0.02)


def test_targets_that_do_not_match_their_predictions():
    metric = kt.PredictionSpread()
    text = message(lambda: metric.update_state(np.zeros((3, 2)), np.zeros((3, 4))))
    assert "y_true.shape=(3, 2)" in text
    text = message(lambda: metric.update_state(np.array([0, 255]), np.zeros((2, 4))))
    assert "255 (1 time)" in text
    assert "pass ignore_class=255" in text
