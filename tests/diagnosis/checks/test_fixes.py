"""The fix of every finding is code that runs as it stands, on the model at hand."""

import re

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.trial.attempt import attempt
from tests.diagnosis import nets
from tests.diagnosis.snippets import faulty


@pytest.mark.parametrize("code", CHECKS)
def test_the_fix_runs_and_the_model_can_be_trained(code):
    names = faulty(CHECKS[code])
    view = nets.view(names["model"], names["x"], names["y"], names.get("sample_weight"))
    finding = nets.judge(code, view)
    if finding is None:
        attempt(view.snapshot, show_progress=False)
        finding = nets.judge(code, view)
    assert finding.fix
    assert not re.search(r"\.\.\.", finding.fix), finding.fix
    given = {key: names[key] for key in ("model", "x", "y") if key in names}
    weights = {k: names[k] for k in ("sample_weight",) if k in names}
    scope = {**given, **weights, "keras": keras, "np": np}
    exec(compile(finding.fix, f"the fix of {code}", "exec"), scope)
    model = scope["model"]
    if model.optimizer is not None:
        model.fit(scope["x"], scope["y"], scope.get("batch_size", 32), verbose=0)
