"""A diagnosis says what was found, in order, and for programs as well."""

import json
import re

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis import examine as module
from keras_trainfix.diagnosis.diagnose import diagnose
from keras_trainfix.diagnosis.findings import Diagnosis, DiagnosisError, Finding
from keras_trainfix.diagnosis.registry import CHECKS, Check, check, found
from tests.diagnosis.nets import inputs, net

X = inputs()
Y = (X[:, :1] > 0).astype("float32")
HEADINGS = [
    "What you see",
    "Why it happens",
    "How to check",
    "Fix",
    "When this is not the cause",
    "References",
]


def finding(severity="error", **changes):
    values = {
        "code": "KTF999",
        "name": "a-bad-thing",
        "severity": severity,
        "evidence": {"share": 0.5},
        "message": "Half of it is <bad>.",
        "fix": "do(this)\nthen(that)",
        "url": "https://example.org/KTF999/",
    }
    return Finding(**{**values, **changes})


def test_a_finding_reads_as_text():
    assert str(finding(output="mask")) == (
        "KTF999 a-bad-thing: error (output 'mask')\n"
        "Half of it is <bad>.\n"
        "help:\n"
        "    do(this)\n"
        "    then(that)\n"
        "more: python -m keras_trainfix explain KTF999"
    )


@pytest.mark.parametrize(
    ("severities", "is_ok", "raises"),
    [
        ([], True, False),
        (["note"], True, False),
        (["warning", "note"], False, False),
        (["warning", "error"], False, True),
    ],
)
def test_a_note_is_fine_and_an_error_can_be_raised(severities, is_ok, raises):
    diagnosis = Diagnosis([finding(severity) for severity in severities])
    assert diagnosis.ok == is_ok
    if raises:
        with pytest.raises(DiagnosisError, match="KTF999 a-bad-thing") as error:
            diagnosis.raise_for_errors()
        assert error.value.diagnosis is diagnosis
    else:
        assert diagnosis.raise_for_errors() is diagnosis


def test_a_diagnosis_reads_as_text_html_and_json():
    diagnosis = Diagnosis([finding()], {"output": "regression"})
    assert str(diagnosis).startswith(
        "First look at a-bad-thing (KTF999).\n\n"
        "A model for regression: 1 error.\n\n1. KTF999"
    )
    assert str(Diagnosis([])) == "No fault found."
    page = diagnosis._repr_html_()
    assert "&lt;bad&gt;" in page
    assert "<bad>" not in page
    loaded = json.loads(json.dumps(diagnosis.to_dict()))
    assert loaded["findings"][0]["evidence"] == {"share": 0.5}
    assert loaded["ok"] is False


@pytest.mark.parametrize("code", CHECKS)
def test_every_check_has_a_page(code):
    entry = CHECKS[code]
    assert re.fullmatch(r"KTF[1-6]\d\d", code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", entry.name)
    assert re.findall(r"^## (.+)$", entry.page, re.M) == HEADINGS
    assert entry.summary.endswith(".")


def test_the_file_of_a_check_is_named_for_its_slug():
    for entry in CHECKS.values():
        assert entry.function.__module__.rpartition(".")[2] == entry.name.replace(
            "-", "_"
        )


def test_names_of_checks_are_their_own():
    names = [entry.name for entry in CHECKS.values()]
    assert len(set(names)) == len(names)


def test_a_code_is_used_once():
    code = next(iter(CHECKS))
    with pytest.raises(ValueError, match=f"a new code.*Received: code='{code}'"):
        check(code, "another", "error")(lambda view: None)
    with pytest.raises(ValueError, match="severity='fatal'"):
        check("KTF998", "another", "fatal")(lambda view: None)


def entries(**functions):
    return {
        code: Check(code, f"is-{code.lower()}", "warning", "output", function)
        for code, function in functions.items()
    }


def test_findings_are_ranked(monkeypatch):
    def says(severity):
        return lambda view: found("Here.", severity=severity)

    checks = entries(
        KTF501=says("error"), KTF201=says("error"), KTF999=lambda view: None
    )
    monkeypatch.setattr(module, "CHECKS", checks)
    assert diagnose(net(loss="mse"), X, Y).codes == ["KTF201", "KTF501"]


def test_a_check_that_fails_hides_no_other(monkeypatch):
    checks = entries(
        KTF101=lambda view: 1 / 0, KTF102=lambda view: found("Here.", share=1.0)
    )
    monkeypatch.setattr(module, "CHECKS", checks)
    diagnosis = diagnose(net(loss="mse"), X, Y)
    assert diagnosis.codes == ["KTF102"]
    assert diagnosis.skipped == {"KTF101": "ZeroDivisionError: division by zero"}


def test_the_output_that_is_wrong_is_named(monkeypatch):
    checks = entries(KTF202=lambda p: found("Here.") if p.name == "b" else None)
    monkeypatch.setattr(module, "CHECKS", checks)
    entry = keras.Input((6,))
    outputs = {name: keras.layers.Dense(1, name=name)(entry) for name in "ab"}
    model = keras.Model(entry, outputs)
    model.compile("adam", {"a": "mse", "b": "mse"})
    diagnosis = diagnose(model, X, {"a": Y, "b": Y})
    assert [f.output for f in diagnosis.findings] == ["b"]
    assert diagnosis.tasks.keys() == {"a", "b"}


def test_a_healthy_model_has_no_finding():
    diagnosis = diagnose(net(1, "sigmoid", "binary_crossentropy"), X, Y)
    assert diagnosis.ok
    assert not diagnosis.skipped
    assert diagnosis.tasks == {"output": "binary classification"}


def test_data_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match="same number of samples"):
        diagnose(net(loss="mse"), X, np.ones((3, 1)))
