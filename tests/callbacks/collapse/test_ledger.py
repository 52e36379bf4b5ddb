"""A rescue as a record that JSON can hold, and as a sentence."""

import json

import pytest

from keras_trainfix.callbacks.collapse.ledger import Moment, Rescue
from keras_trainfix.diagnosis.findings import Finding

FINDING = Finding("KTF403", "dead-relu", "error", {}, "", "", "")


@pytest.mark.parametrize(("skill", "kept"), [(0.25, 0.25), (float("nan"), None)])
def test_a_record(skill, kept):
    moment = Moment("epoch 2, step 40", 40, 2, skill)
    rescue = Rescue(moment, FINDING, "Initial weights")
    rescue.add("epoch 4", "learning rate 0.1 -> 0.2")
    assert rescue["skill_after"] is None
    rescue.reach(0.5)
    assert json.loads(json.dumps(rescue, allow_nan=False)) == {
        "when": "epoch 2, step 40",
        "step": 40,
        "epoch": 2,
        "code": "KTF403",
        "finding": "dead-relu",
        "treatment": "Initial weights; epoch 4, learning rate 0.1 -> 0.2",
        "skill_before": kept,
        "skill_after": 0.5,
    }
    assert str(rescue).startswith(
        "epoch 2, step 40: KTF403 dead-relu. Initial weights;"
    )
