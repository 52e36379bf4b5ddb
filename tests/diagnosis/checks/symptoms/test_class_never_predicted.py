"""A class that is never predicted is found."""

import keras
import numpy as np
import pytest

from tests.diagnosis.checks.symptoms.cases import (
    IDS,
    answering,
    findings,
    sparse,
    steps_done,
    the_only,
)


def test_a_class_that_is_never_predicted(rng):
    logits = rng.normal(size=(256, 3)).astype("float32")
    logits += 3 * np.eye(3)[np.minimum(IDS, 1)]
    logits[:, 2] = -5 + rng.normal(size=256)
    logits = logits.astype("float32")
    model = answering(logits, sparse())
    finding = the_only("KTF504", model, logits, IDS)
    assert finding.evidence["classes"] == [2]
    assert findings(steps_done(model, 100), logits, IDS) == []


@pytest.mark.parametrize(("shift", "severity"), [(-1.3, "warning"), (-0.4, "note")])
def test_a_class_that_is_held_down_although_it_ranks(shift, severity, rng):
    scores = rng.normal(size=(256, 1)) * 0.05 - 1
    y = (np.arange(256) % 5 == 0).astype("int32")
    scores[y == 1] += 0.3  # ranks, and never wins
    logits = (scores + shift).astype("float32")
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model = steps_done(answering(logits, loss), 900)
    (finding,) = [f for f in findings(model, logits, y[:, None]) if f.code == "KTF504"]
    assert finding.severity == severity
    assert ("hold it down" in finding.message) == (severity == "warning")
