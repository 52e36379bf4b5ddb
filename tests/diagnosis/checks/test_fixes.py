"""The fault on the page of each code has one name, and a fix that runs as it stands."""

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.proving import try_treatments
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.trial.attempt import attempt
from tests.diagnosis import nets
from tests.diagnosis.snippets import faulty


@pytest.mark.filterwarnings("ignore:(?s).*You are using a softmax over axis")
@pytest.mark.filterwarnings("ignore:The model does not have any trainable")
@pytest.mark.parametrize("code", CHECKS)
def test_the_fix_runs_and_the_model_can_be_trained(code, whole_bench):
    names = faulty(CHECKS[code])
    one = nets.view_of_names(names)
    finding = nets.judge(code, one)
    if finding is None:
        attempt(one.snapshot, show_progress=False)
        finding = nets.judge(code, one)
    if finding is None:
        try_treatments(one.snapshot, [])
        finding = nets.judge(code, one)
    assert finding.fix
    assert "..." not in finding.fix
    known = ("model", "x", "y", "sample_weight")
    scope = {name: names[name] for name in known if name in names}
    scope |= {"keras": keras, "np": np}
    exec(compile(finding.fix, f"the fix of {code}", "exec"), scope)
    model = scope["model"]
    if model.optimizer is not None:
        model.fit(scope["x"], scope["y"], verbose=0)


@pytest.mark.parametrize("code", [code for code in CHECKS if code[3] in "13"])
def test_the_fault_has_no_other_name(code):
    one = nets.view_of_names(faulty(CHECKS[code]))
    related = [other for other in CHECKS if other[:4] == code[:4]]
    found = [finding for other in related if (finding := nets.judge(other, one))]
    assert {f.code for f in found if f.severity != "note"} <= {code}
