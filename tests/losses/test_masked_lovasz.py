"""Lovász: the IoU of hard masks, and what the hinge needs."""

import numpy as np
import pytest

from keras_trainfix import MaskedLovasz, MaskedTversky
from tests.losses.cases import CLOSE, SHAPE, message, uniform, value_of


@pytest.mark.parametrize(
    "loss", [MaskedLovasz(), MaskedTversky(alpha=1.0, beta=1.0)], ids=lambda x: x.name
)
def test_of_hard_masks_it_is_1_minus_the_iou_and_so_is_jaccard(rng, loss):
    labels, found = rng.integers(0, 5, (2, *SHAPE))
    expected = []
    for label, answer in zip(labels, found, strict=True):
        parts = [(label == c, answer == c) for c in np.unique(label)]
        expected.append(np.mean([1 - (a & b).sum() / (a | b).sum() for a, b in parts]))
    value = value_of(labels, np.eye(5, dtype="float32")[found], loss)
    np.testing.assert_allclose(value, np.mean(expected), **CLOSE)


def test_a_hinge_needs_logits():
    text = message(lambda: MaskedLovasz(hinge=True))
    assert "Received: from_logits=False." in text
    assert "pass `from_logits=True`" in text


def test_a_hinge_needs_sigmoid_units():
    loss = MaskedLovasz(hinge=True, from_logits=True)
    labels = np.zeros((1, 4), "int32")
    text = message(lambda: loss(labels, uniform(1, 4, 3)))
    assert "Received: y_pred with 3 classes." in text
    assert np.isfinite(float(loss(labels, uniform(1, 4, 1))))
