"""Cross-entropy: parts of batches, hardest pixels, saturated predictions, settings."""

import math

import numpy as np
import pytest
from hypothesis import given
from keras import ops

from keras_trainfix import MaskedCrossentropy
from tests.losses.cases import (
    CLOSE,
    MODES,
    SHAPE,
    both,
    few_examples,
    make,
    maps,
    message,
    random_batch,
    value_of,
)


@pytest.mark.one_backend
@few_examples
@given(case=maps())
def test_the_parts_of_a_batch_weighted_by_their_valid_pixels(case):
    labels, channels, valid, rng = case
    y_pred = rng.normal(size=(*SHAPE, channels)).astype("float32")
    loss = MaskedCrossentropy(from_logits=True)
    counts = valid.sum(axis=(1, 2))
    parts = [value_of(labels[i : i + 1], y_pred[i : i + 1], loss) for i in (0, 1)]
    value = value_of(labels, y_pred, loss)
    np.testing.assert_allclose(value, counts @ parts / max(counts.sum(), 1), **CLOSE)


@pytest.mark.parametrize("top_k", [1.0, 24, 10**9])
def test_the_largest_of_all_pixels_are_all(rng, top_k):
    labels, y_pred = random_batch(rng)
    expected = both(labels, y_pred, MaskedCrossentropy(from_logits=True))
    found = both(labels, y_pred, MaskedCrossentropy(from_logits=True, top_k=top_k))
    np.testing.assert_allclose(found[0], expected[0], **CLOSE)
    np.testing.assert_allclose(found[1], expected[1], **CLOSE)


@pytest.mark.parametrize("top_k", [0.1, 0.2, 0.3, 0.6, 0.7, 0.9])
def test_a_share_of_the_pixels_is_that_many(rng, top_k):
    y_pred = rng.normal(size=(1, 1000, 1)).astype("float32")
    loss = MaskedCrossentropy(from_logits=True, top_k=top_k)
    for number in (10, 50, 130, 1000):
        labels = np.where(np.arange(1000) < number, 0, 255)[None]
        _, gradient = both(labels, y_pred, loss)
        assert np.count_nonzero(gradient) == round(top_k * number)


def of_softmax(y_true, y_pred, sample_weight=None):
    return make(MaskedCrossentropy)(y_true, ops.softmax(y_pred))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("gap", [60, 200])
def test_a_softmax_that_is_surely_wrong_can_learn(mode, gap):
    logits = np.float32([[gap, 0.0, -1.0]])
    value, gradient = both(np.array([1]), logits, of_softmax, mode=mode)
    assert math.isfinite(value)
    assert value > 55
    if gap < 87:  # above, float32 has rounded the probability to 0
        np.testing.assert_allclose(gradient[0], [1, -1, 0], atol=1e-4)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("gap", [100, 1000])
@pytest.mark.parametrize("focal_gamma", [0.0, 2.0])
def test_logits_that_are_surely_wrong_keep_their_gradient(mode, gap, focal_gamma):
    loss = make(MaskedCrossentropy, from_logits=True, focal_gamma=focal_gamma)
    logits = np.float32([[gap, 0.0]])
    value, gradient = both(np.array([1]), logits, loss, mode=mode)
    np.testing.assert_allclose(value, gap, rtol=1e-6)
    np.testing.assert_allclose(gradient, [[1, -1]], rtol=1e-6)
    value, gradient = both(np.array([0]), logits[:, :1], loss, mode=mode)
    np.testing.assert_allclose(value, gap, rtol=1e-6)
    np.testing.assert_allclose(gradient, [[1]], rtol=1e-6)


@pytest.mark.parametrize("focal_gamma", [0.5, 1.0, 2.0])
def test_logits_that_are_surely_right_have_a_finite_gradient(focal_gamma):
    loss = MaskedCrossentropy(from_logits=True, focal_gamma=focal_gamma)
    for logits, labels in (([[100.0, 0.0]], [0]), ([[-100.0]], [0])):
        value, gradient = both(np.array(labels), np.float32(logits), loss)
        assert value <= 1e-6
        assert np.abs(gradient).max() <= 1e-6


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"label_smoothing": 1.5}, "between 0 and 1"),
        ({"label_smoothing": -0.1}, "between 0 and 1"),
        ({"focal_gamma": -1}, "must be 0 or more"),
        ({"top_k": 0}, "number of pixels"),
        ({"top_k": 1.5}, "a share of them"),
        ({"top_k": True}, "number of pixels"),
    ],
)
def test_arguments_out_of_range(arguments, expected):
    text = message(lambda: MaskedCrossentropy(**arguments))
    assert expected in text
    ((name, value),) = arguments.items()
    assert f"Received: {name}={value}." in text
