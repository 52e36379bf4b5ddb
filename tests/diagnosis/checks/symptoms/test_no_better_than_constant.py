"""Predictions no better than a constant are found, and those that rank are not."""

import keras
import numpy as np

from keras_trainfix.diagnosis.checks.symptoms import no_better_than_constant
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


def test_no_better_than_a_constant(rng):
    noise = rng.normal(size=(256, 1)).astype("float32")
    model = answering(noise, "mse")
    finding = the_only("KTF505", model, noise, Y)
    assert finding.evidence["skill"] < 0
    assert findings(steps_done(model, 100), noise, Y) == []
    opposite = (noise - Y).astype("float32")
    found = findings(answering(opposite, "mse"), opposite, Y)
    assert [finding.code for finding in found] == ["KTF505", "KTF509"]
    logits = rng.normal(size=(256, 3)).astype("float32")
    the_only("KTF505", answering(logits, sparse()), logits, IDS)


def test_predictions_that_are_meant_to_be_the_opposite(rng):
    def distance(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true + y_pred))

    opposite = (0.1 * rng.normal(size=Y.shape) - Y).astype("float32")
    assert findings(answering(opposite, distance), opposite, Y) == []
    found = findings(answering(opposite, "mse"), opposite, Y)
    assert [finding.code for finding in found] == ["KTF505", "KTF509"]


def test_scores_that_rank_with_a_wrong_scale_are_fair(rng):
    scores = (4 * Y + 4 + rng.normal(size=Y.shape)).astype("float32")
    model = answering(scores, "mse")
    assert findings(model, scores, Y) == []
    the_only("KTF505", model, scores, rng.permutation(Y))
    logits = (9 * (Y + rng.normal(size=Y.shape))).astype("float32")
    assert findings(answering(logits, binary()), logits, ON) == []


def test_missing_targets_say_nothing():
    constant = np.ones_like(Y)
    model = answering(constant, "mse")
    assert findings(model, constant, None) == []
    the_only("KTF501", model, constant, Y)


def test_the_skill_has_a_limit_of_its_own(rng, monkeypatch):
    noise = rng.normal(size=(256, 1)).astype("float32")
    model = answering(noise, "mse")
    skill = the_only("KTF505", model, noise, Y).evidence["skill"]
    monkeypatch.setattr(no_better_than_constant, "NO_SKILL", skill - 0.1)
    assert findings(model, noise, Y) == []
