"""A classifier that predicts one class is found, and an early one is not."""

import numpy as np
import pytest

from tests.diagnosis.checks.symptoms.cases import (
    IDS,
    ON,
    Y,
    answering,
    binary,
    findings,
    sparse,
    steps_done,
    the_only,
)


def test_one_class_of_constant_scores():
    logits = np.full((256, 3), [0.1, 0.5, 0.2], "float32")
    finding = the_only("KTF502", answering(logits, sparse()), logits, IDS)
    assert finding.evidence["predicted_class"] == 1
    assert finding.evidence["label_share"] == pytest.approx((IDS == 1).mean())


def test_one_class_of_scores_that_say_nothing(rng):
    scores = rng.normal(-3, 0.5, (256, 1)).astype("float32")
    model = answering(scores, binary(), 500)
    the_only("KTF502", model, scores, ON)
    assert findings(steps_done(model, 50), scores, ON) == []  # may come to say it


def test_scores_that_rank_are_early_or_a_matter_of_the_threshold(rng):
    scores = (Y - 5 + rng.normal(size=Y.shape)).astype("float32")
    model = answering(scores, binary(), 100)
    assert findings(model, scores, ON) == []
    found = findings(steps_done(model, 1000), scores, ON)
    assert [(f.code, f.severity) for f in found] == [("KTF504", "warning")]


def test_a_single_class_in_the_sample_says_nothing():
    logits = np.full((256, 3), [0.1, 0.5, 0.2], "float32")
    model = answering(logits, sparse())
    assert findings(model, logits, 0 * IDS) == []
    the_only("KTF502", model, logits, IDS)
