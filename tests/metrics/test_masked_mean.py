"""The mean over valid pixels does not depend on how the data are cut into batches."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_trainfix as kt
from tests.metrics.helpers import COMPILED, message

KERAS_LOSS = keras.losses.SparseCategoricalCrossentropy(
    from_logits=True, ignore_class=255
)
LOSSES = [kt.MaskedCrossentropy(from_logits=True), KERAS_LOSS]
losses = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)


@pytest.fixture
def data(rng):
    """Images with very different shares of void, one of them all void."""
    y = rng.integers(0, 4, (7, 6, 5))
    y[rng.random(y.shape) < np.linspace(0, 0.9, 7)[:, None, None]] = 255
    y[3] = 255
    return y.astype("int32"), rng.normal(size=(*y.shape, 4)).astype("float32")


def crossentropies(y, logits):
    """The cross-entropy of each valid pixel in float64."""
    logits = logits.astype("float64")
    log_total = np.log(np.exp(logits).sum(-1))
    valid = y != 255
    at = np.take_along_axis(logits, np.where(valid, y, 0)[..., None], -1)[..., 0]
    return (log_total - at)[valid]


def updated(loss, y, logits, batch_size, weights=None):
    metric = kt.MaskedMean(loss)
    for start in range(0, len(y), batch_size):
        part = slice(start, start + batch_size)
        metric.update_state(
            y[part], logits[part], None if weights is None else weights[part]
        )
    return metric


@losses
@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_the_mean_over_all_valid_pixels(data, loss, batch_size):
    expected = crossentropies(*data).mean()
    result = updated(loss, *data, batch_size).result()
    assert float(result) == pytest.approx(expected, rel=1e-6)


@losses
def test_weights_of_samples_enter_both_sums(data, loss):
    y, logits = data
    weights = np.arange(7).astype("float32")
    per_pixel = np.broadcast_to(weights[:, None, None], y.shape)[y != 255]
    expected = np.average(crossentropies(y, logits), weights=per_pixel)
    result = updated(loss, y, logits, 3, weights).result()
    assert float(result) == pytest.approx(expected, rel=1e-6)


@losses
def test_evaluate_does_not_depend_on_the_batch_size(data, loss):
    y, x = data
    model = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Dense(4)])
    model.compile("sgd", loss, metrics=[kt.MaskedMean(loss)], **COMPILED)
    name = f"mean_{loss.name}"
    results = [
        model.evaluate(x, y, batch_size=size, verbose=0, return_dict=True)[name]
        for size in (1, 3, 7)
    ]
    expected = crossentropies(y, model.predict(x, verbose=0)).mean()
    np.testing.assert_allclose(results, expected, rtol=1e-5)


def test_for_a_loss_of_images_it_is_the_mean_over_images(data):
    y, logits = data
    loss = kt.MaskedSoftDice(from_logits=True, reduction="none")
    per_image = np.asarray(ops.convert_to_numpy(loss(y, logits)))
    expected = per_image[[0, 1, 2, 4, 5, 6]].mean()  # without the void image
    for batch_size in (1, 4):
        result = updated(loss, y, logits, batch_size).result()
        assert float(result) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", ["mean_squared_error", "MeanSquaredError"])
def test_a_loss_of_samples_by_its_name(rng, loss):
    y, p = rng.normal(size=(2, 10, 3)).astype("float32")
    metric = kt.MaskedMean(loss)
    metric.update_state(y[:7], p[:7])
    metric.update_state(y[7:], p[7:])
    assert float(metric.result()) == pytest.approx(((y - p) ** 2).mean(), rel=1e-6)
    assert metric.name == "mean_mean_squared_error"


def test_a_small_batch_still_counts_after_very_many(data):
    y, logits = data
    metric = updated(LOSSES[0], y, logits, 7)
    one, number = ops.convert_to_numpy(metric._sums).astype("float64").sum(0) * 2**30
    for _ in range(30):
        metric.merge_state([metric])  # 2**30 times as many
    metric.update_state(y[:1], 9 * logits[:1])
    extra = crossentropies(y[:1], 9 * logits[:1])
    total = ops.convert_to_numpy(metric._sums).astype("float64").sum(0)
    assert total[0] - one == pytest.approx(extra.sum(), rel=1e-5)
    assert total[1] - number == extra.size


def test_no_valid_pixel_is_nan_and_merging_is_one_pass(data):
    y, logits = data
    assert np.isnan(float(updated(LOSSES[0], y[3:4], logits[3:4], 1).result()))
    merged = updated(LOSSES[0], y[:2], logits[:2], 1)
    merged.merge_state(updated(LOSSES[0], y[2:], logits[2:], 2))
    whole = updated(LOSSES[0], y, logits, 7)
    assert float(merged.result()) == pytest.approx(float(whole.result()), rel=1e-6)
    merged.reset_state()
    assert np.isnan(float(merged.result()))


def test_losses_without_a_mean_over_pixels_are_refused():
    loss = kt.WeightedSum([kt.MaskedSoftDice(), kt.MaskedCrossentropy()])
    text = message(lambda: kt.MaskedMean(loss), TypeError)
    assert "pass one metric for each of its `losses`" in text
    assert "loss=3." in message(lambda: kt.MaskedMean(3), TypeError)
    metric = kt.MaskedMean(keras.losses.Dice())
    y = np.zeros((1, 2, 2, 1), "float32")
    text = message(lambda: metric.update_state(y, y), TypeError)
    assert "whose value is a scalar" in text
