"""One check at a time, on a model and its data: for the tests of checks."""

import json
import re

import keras

from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.trial.attempt import attempt
from tests.diagnosis.nets import judge, view
from tests.diagnosis.snippets import faulty_and_fixed

HEADINGS = [
    "What you see",
    "Why it happens",
    "How to check",
    "Fix",
    "When this is not the cause",
    "References",
]
ABOUT_LAYERS = [
    *("KTF301", "KTF302", "KTF303", "KTF304"),
    *("KTF403", "KTF404", "KTF407", "KTF409", "KTF411"),
]


def run(code, model, x, y=None, output=0):
    """The finding of a check for one output, or None; it can be shown and stored."""
    finding = judge(code, view(model, x, y, output=output))
    if finding:
        json.dumps(finding.to_dict())
        assert re.search(r"\d", finding.message)
        assert finding.evidence
        assert finding.fix
    return finding


def run_after_trial(code, model, x, y):
    """The finding of a check that looks at a trial, or None."""
    one = view(model, x, y)
    attempt(one.snapshot, show_progress=False)
    return judge(code, one)


def only(code, model, x, y=None):
    """The finding of a check, where no other check about layers has one."""
    findings = {c: run(c, model, x, y) for c in ABOUT_LAYERS}
    assert {c for c, finding in findings.items() if finding} == {code}
    return findings[code]


def answers(model, x):
    """What a model predicts: targets that it has learned to perfection."""
    return model.predict(x, verbose=0)


def sequential(*parts, shape=(6,), loss="mse", optimizer="adam"):
    """A compiled model of some layers."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(shape), *parts])
    model.compile(optimizer, loss)
    return model


def assert_page(code, severity=None):
    """Its headings are those of all pages, and its snippets show fault and repair."""
    check = CHECKS[code]
    assert re.findall(r"^## (.*)$", check.page, re.MULTILINE) == HEADINGS
    faulty, fixed = (
        run(code, names["model"], names["x"], names["y"])
        for names in faulty_and_fixed(check)
    )
    assert faulty.severity == (severity or check.severity)
    assert fixed is None, fixed
