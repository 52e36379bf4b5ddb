"""Trivial masks are found, and early ones are not."""

import numpy as np
import pytest

import keras_trainfix as kt
from tests.diagnosis.checks.symptoms.cases import (
    IMAGES,
    MASKS,
    answering,
    binary,
    findings,
    the_only,
)


@pytest.mark.parametrize(
    ("logit", "name"), [(9, "all foreground"), (-9, "all background")]
)
def test_a_trivial_mask(logit, name):
    logits = np.full((24, 16, 16, 1), logit, "float32")
    finding = the_only("KTF503", answering(logits, binary()), logits, MASKS)
    assert name in finding.message
    assert finding.evidence["iou"] == pytest.approx(MASKS.mean() if logit > 0 else 0)


def test_a_saturated_mask_is_trivial_though_its_tail_ranks():
    logits = (14 + IMAGES).astype("float32")
    the_only("KTF503", answering(logits, binary()), logits, MASKS)


def test_a_trivial_mask_of_several_classes_and_void():
    y = np.where(MASKS[..., 0] > 0, 2, 1)
    y[:, :4] = 255
    logits = np.full((24, 16, 16, 3), [1, 0, 3], "float32")
    loss = kt.MaskedCrossentropy(from_logits=True, ignore_class=255)
    finding = the_only("KTF503", answering(logits, loss), logits, y)
    share = (y == 2).sum() / (y != 255).sum()
    assert "class 2 everywhere" in finding.message
    assert finding.evidence["iou"] == pytest.approx(share / 2)
    assert finding.evidence["iou_of_class"] == pytest.approx(share)


def test_early_masks_are_fair():
    logits = (IMAGES - 5).astype("float32")
    assert findings(answering(logits, binary(), 50), logits, MASKS) == []
    flat = np.full_like(logits, -5)
    the_only("KTF503", answering(flat, binary(), 50), flat, MASKS)
