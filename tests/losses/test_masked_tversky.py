"""Tversky: soft Dice and focal Tversky as special cases, settings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_trainfix import MaskedSoftDice, MaskedTversky
from tests.losses.cases import CLOSE, SHAPE, both, few_examples, maps, message
from tests.losses.reference import array


@pytest.mark.one_backend
@pytest.mark.parametrize("scope", ["image", "batch"])
@pytest.mark.parametrize("smooth", [0.0, 1.0])
@few_examples
@given(case=maps())
def test_a_balanced_tversky_loss_is_dice(scope, smooth, case):
    labels, channels, _, rng = case
    y_pred = rng.normal(size=(*SHAPE, channels)).astype("float32")
    options = {"from_logits": True, "scope": scope}
    # It has half the denominator of Dice, and so half its smoothing.
    tversky = both(labels, y_pred, MaskedTversky(smooth=smooth / 2, **options))
    dice = both(labels, y_pred, MaskedSoftDice(smooth=smooth, **options))
    np.testing.assert_allclose(tversky[0], dice[0], **CLOSE)
    np.testing.assert_allclose(tversky[1], dice[1], **CLOSE)


@pytest.mark.one_backend
@few_examples
@given(case=maps(), gamma=st.sampled_from([0.5, 2.0]))
def test_focal_tversky_is_a_power_of_each_class(case, gamma):
    labels, channels, _, rng = case
    y_pred = rng.normal(size=(*SHAPE, channels)).astype("float32")
    options = {"from_logits": True, "reduction": "none"}
    for index in range(channels):
        class_weight = {c: float(c == index) for c in range(max(channels, 2))}
        options["class_weight"] = None if channels == 1 else class_weight
        plain = array(MaskedTversky(**options)(labels, y_pred))
        focal = array(MaskedTversky(gamma=gamma, **options)(labels, y_pred))
        np.testing.assert_allclose(focal, plain**gamma, **CLOSE)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"alpha": -1}, "0 or more"),
        ({"beta": float("nan")}, "0 or more"),
        ({"alpha": 0, "beta": 0}, "not both 0"),
        ({"gamma": 0}, "above 0"),
    ],
)
def test_arguments_out_of_range(arguments, expected):
    text = message(lambda: MaskedTversky(**arguments))
    assert expected in text
    assert ", ".join(f"{name}={value}" for name, value in arguments.items()) in text
