"""A weighted sum equals its losses computed separately, and refuses what cannot be."""

import keras
import numpy as np
import pytest
from hypothesis import given

from keras_trainfix import MaskedCrossentropy, MaskedSoftDice, WeightedSum
from tests.losses.cases import CLOSE, LOSSES, SHAPE, both, few_examples, maps, message


@pytest.mark.one_backend  # `test_reference.py` compares sums on every backend
@few_examples
@given(case=maps())
def test_it_is_the_sum_of_its_losses(case):
    labels, channels, _, rng = case
    y_pred = rng.normal(size=(*SHAPE, channels)).astype("float32")
    weights = rng.random(SHAPE).astype("float32")
    losses = [kind(from_logits=True) for kind in LOSSES]
    parts = [both(labels, y_pred, loss, weights) for loss in losses]
    factors = [1.0, 0.5, 0.0, 2.0]
    value, gradient = both(labels, y_pred, WeightedSum(losses, factors), weights)
    for found, index in ((value, 0), (gradient, 1)):
        expected = sum(f * part[index] for f, part in zip(factors, parts, strict=True))
        np.testing.assert_allclose(found, expected, **CLOSE)


DICE, CROSSENTROPY = MaskedSoftDice(), MaskedCrossentropy()


@pytest.mark.parametrize(
    ("losses", "weights", "expected"),
    [
        ([DICE, CROSSENTROPY], [1], "`weights` must be 2 numbers.*weights=[1]"),
        ([DICE], [-1], "0 or more, one for each loss. Received: weights=[-1]"),
        ([DICE], [float("nan")], "0 or more, one for each loss. Received"),
        (
            [DICE, MaskedCrossentropy(from_logits=True)],
            None,
            "agree on `from_logits`.*masked_crossentropy with from_logits=True",
        ),
        (
            [DICE, MaskedCrossentropy(reduction=None)],
            None,
            "must have a reduction.*masked_crossentropy with reduction=None. Pass",
        ),
        ([], None, "must not be empty"),
    ],
)
def test_losses_that_cannot_be_summed(losses, weights, expected):
    text = message(lambda: WeightedSum(losses, weights))
    for part in expected.split(".*"):
        assert part in text


def test_losses_of_others():
    with pytest.raises(TypeError, match="losses of keras_trainfix.*Received: .*ice"):
        WeightedSum([DICE, keras.losses.Dice()])


def test_weights_can_be_set(rng):
    labels, y_pred = rng.integers(0, 5, SHAPE), rng.random((*SHAPE, 5))
    y_pred = np.float32(y_pred / y_pred.sum(axis=-1, keepdims=True))
    loss = WeightedSum([DICE, CROSSENTROPY], [1, 2])
    dice, crossentropy = (both(labels, y_pred, part)[0] for part in loss.losses)
    for is_tracked in (False, True):
        if is_tracked:
            loss.track_weights()
        for weights in ([0.5, 3.0], [0.0, 1.0]):
            loss.weights = weights
            assert loss.weights == loss.get_config()["weights"] == weights
            expected = weights[0] * dice + weights[1] * crossentropy
            value = float(loss(labels, y_pred))
            np.testing.assert_allclose(value, expected, rtol=1e-6)
        text = message(lambda: setattr(loss, "weights", [1, 2, 3]))
        assert "must be 2 numbers" in text
