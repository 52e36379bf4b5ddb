"""A class that is never predicted is found."""

import numpy as np

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
