"""Losses of distances: maps beside the labels, spacing, what void is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_trainfix import MaskedCrossentropy, WeightedSum, signed_distance
from tests.losses.cases import (
    CLOSE,
    OF_DISTANCES,
    both,
    few_examples,
    message,
    softmax,
    uniform,
)

each = pytest.mark.parametrize("kind", OF_DISTANCES)
SHAPE = (2, 5, 6)


def batch(rng, channels):
    labels = rng.integers(0, max(channels, 2), SHAPE)
    labels[rng.random(SHAPE) < 0.2] = 255
    return labels, rng.normal(size=(*SHAPE, channels)).astype("float32")


@each
@few_examples
@given(
    channels=st.sampled_from([1, 3]),
    axis=st.sampled_from([-1, 1]),
    is_one_hot=st.booleans(),
    is_in_sum=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_maps_beside_the_labels_change_nothing(
    kind, channels, axis, is_one_hot, is_in_sum, seed
):
    labels, logits = batch(np.random.default_rng(seed), channels)
    spacing = [2.0, 1.0]
    loss = kind(from_logits=True, axis=axis, spacing=spacing)
    if is_in_sum:
        other = MaskedCrossentropy(from_logits=True, axis=axis)
        loss = WeightedSum([other, loss])
    first = labels[..., None]
    if is_one_hot and channels > 1:
        first = np.float32(first == np.arange(channels))
    maps = signed_distance(labels, channels, spacing=spacing)
    maps[labels == 255] = np.nan
    y_true = np.concatenate([first, maps], axis=-1)
    logits, y_true = (np.moveaxis(part, -1, axis) for part in (logits, y_true))
    value, gradient = both(y_true, logits, loss)
    expected = both(labels, logits, loss)
    np.testing.assert_allclose(value, expected[0], **CLOSE)
    np.testing.assert_allclose(gradient, expected[1], **CLOSE)


@each
def test_the_maps_are_used(rng, kind):
    labels, logits = batch(rng, 3)
    maps = 2 * signed_distance(labels, 3)
    y_true = np.concatenate([labels[..., None], maps], axis=-1)
    loss = kind(from_logits=True)
    assert both(y_true, logits, loss)[0] != both(labels, logits, loss)[0]


@each
@pytest.mark.parametrize("is_in_sum", [False, True])
@pytest.mark.parametrize("number", [2, 5, 7])
def test_a_map_too_many_or_too_few(kind, number, is_in_sum):
    loss = WeightedSum([MaskedCrossentropy(), kind()]) if is_in_sum else kind()
    y_true = np.zeros((*SHAPE, number), "float32")
    text = message(lambda: loss(y_true, uniform(*SHAPE, 3)))
    assert "one distance map for each of the 3 classes" in text
    assert "4 channels with sparse labels, 6 with one-hot labels" in text
    assert f"Received: y_true.shape={y_true.shape}" in text
    assert "signed_distance(y, num_classes=3)" in text


@each
def test_other_losses_take_no_maps(rng, kind):
    labels, logits = batch(rng, 3)
    y_true = np.concatenate([labels[..., None], signed_distance(labels, 3)], axis=-1)
    text = message(lambda: MaskedCrossentropy()(y_true, softmax(logits)))
    assert "`y_true` must have shape" in text


@each
def test_labels_and_maps_of_other_images(kind):
    y_true = np.zeros((2, 4, 6, 4), "float32")
    text = message(lambda: kind()(y_true, uniform(*SHAPE, 3)))
    assert "y_true.shape=(2, 4, 6, 4), y_pred.shape=(2, 5, 6, 3)" in text


@each
def test_spacing_that_does_not_fit(kind):
    assert "Received: spacing=0." in message(lambda: kind(spacing=0))
    loss = kind(spacing=[1.0, 2.0, 3.0])
    text = message(lambda: loss(np.zeros(SHAPE, int), uniform(*SHAPE, 3)))
    assert "must have 2 numbers" in text
    assert "Received: spacing=(1.0, 2.0, 3.0)." in text


@each
def test_void_is_what_lies_outside_the_image(rng, kind):
    labels, logits = batch(rng, 3)
    loss = kind(from_logits=True)
    value, gradient = both(labels, logits, loss)
    edges = [(0, 0), (1, 2), (3, 0)]
    around = np.pad(labels, edges, constant_values=255)
    under = np.pad(logits, [*edges, (0, 0)], constant_values=np.nan)
    found = both(around, under, loss)
    np.testing.assert_allclose(found[0], value, **CLOSE)
    np.testing.assert_allclose(found[1][:, 1:-2, 3:], gradient, **CLOSE)


@each
def test_a_mask_without_boundary_does_not_count(rng, kind):
    labels = np.zeros(SHAPE, int)
    logits = np.full((*SHAPE, 1), -1.0, "float32")
    logits[0, 0, 0] = -0.1
    value, gradient = both(labels, logits, kind(from_logits=True))
    assert value == 0
    assert not gradient.any()
