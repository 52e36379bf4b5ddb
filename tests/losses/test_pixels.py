"""Labels, predictions and weights that do not fit get a message with a way out."""

import keras
import numpy as np
import pytest

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from tests.losses.cases import LOSSES, every_function, message, uniform

every_loss = pytest.mark.parametrize(
    "loss", [*LOSSES, lambda **options: kt.WeightedSum([kt.MaskedSoftDice(**options)])]
)


@every_loss
def test_an_invalid_label_is_named_with_its_likely_cause(loss):
    labels = np.array([[0, 2, 255, 255]], "uint8")
    text = message(lambda: loss(ignore_class=None)(labels, uniform(1, 4, 3)))
    assert "255 (2 times)" in text
    assert "pass ignore_class=255" in text
    labels = np.array([[0, 2, 7, 255]], "int64")
    text = message(lambda: loss()(labels, uniform(1, 4, 3)))
    assert "a class, 0 to 2, or ignored, ignore_class=255" in text
    assert "7 (1 time)" in text
    assert "the model needs 8 outputs (num_classes too small)" in text
    labels = np.array([[3, 2, 1, 255]], "int64")
    assert "subtract 1" in message(lambda: loss()(labels, uniform(1, 4, 3)))


@every_loss
@pytest.mark.parametrize("shape", [(2, 4, 5), (2, 5), (1, 4, 6), (2,), (2, 4, 6, 2)])
def test_labels_of_the_wrong_rank_or_size(loss, shape):
    text = message(lambda: loss()(np.zeros(shape, "int32"), uniform(2, 4, 6, 3)))
    assert "`y_true` must have shape (2, 4, 6) or (2, 4, 6, 1) (sparse)" in text
    assert f"y_true.shape={shape}, y_pred.shape=(2, 4, 6, 3)" in text


@every_loss
def test_sparse_labels_are_whole_numbers(loss):
    labels = np.array([[0, 0.5, 1, 2]], "float32")
    text = message(lambda: loss()(labels, uniform(1, 4, 3)))
    assert "0.5 (1 time)" in text
    assert "interpolation='nearest'" in text


@every_loss
def test_rows_that_are_no_distribution(loss):
    rows = np.array([[[1, 1, 0], [0, 0, 1]]], "float32")
    text = message(lambda: loss()(rows, uniform(1, 2, 3)))
    assert "must sum to 1, or be 0 for void" in text
    assert "1 row of y_true with sums from 2 to 2" in text
    assert "`multi_label=True`" in text
    assert np.isfinite(float(loss(multi_label=True)(rows, uniform(1, 2, 3))))


def test_a_mask_that_happens_to_have_the_shape_of_the_prediction():
    mask = np.tile(np.arange(8) % 2, (2, 8, 1)).astype("float32")
    loss = kt.MaskedSoftDice()
    for labels in (mask, mask.astype("int32"), 2 * mask.astype("int32")):
        text = message(lambda y=labels: loss(y, mask))
        assert "keep the last axis of `y_pred`: (2, 8, 8, 1), without" in text
    text = message(lambda: loss(mask[..., None], mask))
    assert "lacks it if `y_true` holds one label for each pixel" in text
    assert float(loss(mask, mask[..., None])) == 0


@every_function
def test_predictions_that_are_no_probabilities(function):
    labels = np.array([[[0, 1, 255]]])
    logits = np.array([[[[3.0, -8.0], [0.5, 0.5], [np.nan, 1e9]]]], "float32")
    text = message(lambda: function(labels, logits))
    assert "y_pred from -8 to 3" in text
    assert "pass `from_logits=True`" in text
    assert np.isfinite(float(function(labels, logits, from_logits=True)))
    # Void may hold anything.
    probabilities = logits * [[[0], [1], [1]]]
    assert np.isfinite(float(function(labels, probabilities)))


@every_function
@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        ((2,), True),
        ((2, 1), True),
        ((2, 1, 1), True),
        ((2, 4, 6), True),
        ((2, 4, 6, 1), True),
        ((2, 4), True),
        ((4,), False),
        ((6,), False),
        ((2, 6), False),
        ((2, 4, 6, 3), False),
    ],
)
def test_weights_broadcast_from_the_left(function, shape, fits):
    labels = np.zeros((2, 4, 6), "int32")

    def compute():
        weights = np.ones(shape, "float32")
        return function(labels, uniform(2, 4, 6, 3), sample_weight=weights)

    if fits:
        expected = function(labels, uniform(2, 4, 6, 3))
        np.testing.assert_allclose(to_numpy(compute()), to_numpy(expected), rtol=1e-6)
    else:
        assert f"sample_weight.shape={shape}" in message(compute)


@every_function
@pytest.mark.parametrize("bad", [-1.0, float("nan")])
def test_sample_weights_are_not_negative(function, bad):
    labels, weights = np.zeros((2, 4), "int32"), np.array([1.0, bad])

    def compute():
        return function(labels, uniform(2, 4, 3), sample_weight=weights)

    assert "`sample_weight` must not be negative or NaN" in message(compute)


def test_pixels_that_a_keras_mask_hides_are_void():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            keras.layers.Embedding(5, 4, mask_zero=True),
            keras.layers.LSTM(4, return_sequences=True),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    words = np.array([[1, 2, 3, 0, 0, 0, 0], [4, 3, 2, 1, 1, 0, 0]])
    labels = np.array([[0, 1, 2, 0, 0, 0, 0], [2, 255, 0, 1, 1, 0, 0]])
    model.compile("sgd", kt.MaskedCrossentropy(), run_eagerly=True)
    y_pred = to_numpy(model(words))
    hidden = np.where(words == 0, 255, labels)
    expected = float(kt.masked_crossentropy(hidden, y_pred))
    got = model.evaluate(words, labels, verbose=0)
    np.testing.assert_allclose(got, expected, rtol=1e-5)
