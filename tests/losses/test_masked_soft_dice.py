"""Soft Dice: smoothing of generalized Dice, log-cosh, settings."""

import numpy as np
import pytest
from hypothesis import given

from keras_trainfix import MaskedSoftDice
from tests.losses.cases import CLOSE, SHAPE, few_examples, maps, message, value_of
from tests.losses.reference import array


@pytest.mark.parametrize("generalized", ["square", "simple", "uniform"])
def test_classes_left_out_do_not_change_the_smoothing(generalized):
    # Weights are relative to the smallest class that counts, not to the background.
    y_pred = np.full((1, 12, 3), 1 / 3, "float32")
    for number in (1, 4):
        counts = [number, 4 - number, 4, 4]
        labels = np.repeat([0, 255, 1, 2], counts)[None]
        loss = MaskedSoftDice(
            include_background=False, generalized=generalized, smooth=1.0
        )
        hits, total = 2 * 4 / 3, 2 * (4 + (8 + number) / 3)
        expected = 1 - (2 * hits + 1) / (total + 1)
        np.testing.assert_allclose(value_of(labels, y_pred, loss), expected, **CLOSE)


@pytest.mark.one_backend
@few_examples
@given(case=maps())
def test_log_cosh_is_of_the_loss_of_each_image(case):
    labels, channels, _, rng = case
    y_pred = rng.normal(size=(*SHAPE, channels)).astype("float32")
    options = {"from_logits": True, "reduction": "none"}
    plain = array(MaskedSoftDice(**options)(labels, y_pred))
    found = array(MaskedSoftDice(log_cosh=True, **options)(labels, y_pred))
    expected = np.log(np.cosh(plain.astype("float64")))
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_generalized_true_is_the_original():
    assert MaskedSoftDice(generalized=True).generalized == "square"
    assert MaskedSoftDice(generalized=False).generalized is None


def test_an_unknown_kind_of_generalized_dice():
    text = message(lambda: MaskedSoftDice(generalized="cubic"))
    assert "'simple', 'square', 'uniform'" in text
    assert "Received: generalized='cubic'." in text
