"""A diagnosis as text, and which findings explain others."""

import pytest

from keras_trainfix.diagnosis.findings import Diagnosis, Finding
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.report.text import explanations
from tests.diagnosis.report.samples import CAUSE, SYMPTOM, finding


def test_the_text():
    diagnosis = Diagnosis(
        [CAUSE, SYMPTOM], {"output": "regression"}, {"KTF301": "KeyError: 'x'"}
    )
    assert str(diagnosis) == (
        "Diagnosis of a model for regression: 2 errors.\n"
        "\n"
        "KTF403 dead-relu explains KTF501 constant-prediction.\n"
        "\n"
        "1. KTF403 dead-relu: error\n"
        "   All 64 units of [layer] <dense> are 0, so very so very so very so very so\n"
        "   very so very so very so very so very dead.\n"
        "       do(this)\n"
        "\n"
        "       then(that)\n"
        "       https://example.org/KTF403/\n"
        "\n"
        "2. KTF501 constant-prediction: error\n"
        "   All of 9 are 1.\n"
        "       do(this)\n"
        "\n"
        "       then(that)\n"
        "       https://example.org/KTF501/\n"
        "\n"
        "Not checked: KTF301 (KeyError: 'x')."
    )


def test_the_first_line_counts():
    severities = ["error", "warning", "warning", "note"]
    findings = [finding(severity=severity) for severity in severities]
    text = str(Diagnosis(findings, {"a": "regression", "b": "segmentation"}))
    first = "Diagnosis of a model for a: regression, b: segmentation: "
    assert text.startswith(f"{first}1 error, 2 warnings, 1\nnote.\n\n1. KTF403")
    assert str(Diagnosis([])) == "Diagnosis: nothing found."


@pytest.mark.parametrize("message", ["", "One.\n\nTwo 2.", "x" * 100])
def test_odd_messages(message):
    text = str(finding(message=message))
    assert text.endswith("https://example.org/KTF403/")
    assert all(part in text for part in message.splitlines())


def test_ten_findings_stay_aligned():
    lines = str(Diagnosis([CAUSE] * 10)).splitlines()
    assert "1. KTF403 dead-relu: error" in lines
    assert "10. KTF403 dead-relu: error" in lines


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([CAUSE, SYMPTOM], ["KTF403 dead-relu explains KTF501 constant-prediction."]),
        ([SYMPTOM], []),
        ([CAUSE], []),
        (
            [finding("KTF101", "warning"), SYMPTOM],
            ["KTF101 bad-it may explain KTF501 constant-prediction."],
        ),
        (
            [CAUSE, SYMPTOM, finding("KTF101", "warning")],
            ["KTF403 dead-relu explains KTF501 constant-prediction."],
        ),
        (
            [finding("KTF201"), CAUSE, SYMPTOM],
            ["KTF201 bad-it and KTF403 dead-relu explain KTF501 constant-prediction."],
        ),
        (
            [CAUSE, SYMPTOM, finding("KTF503")],
            ["KTF403 dead-relu explains KTF501 constant-prediction and KTF503 bad-it."],
        ),
        ([finding("KTF207"), SYMPTOM], []),  # a metric explains no prediction
        ([finding(severity="note"), SYMPTOM], []),
        ([CAUSE, finding("KTF501", "note")], []),
        ([finding("KTF201", output="a"), finding("KTF501", output="b")], []),
        (
            [CAUSE, finding("KTF201", output="a"), finding("KTF501", output="b")],
            ["KTF403 dead-relu explains KTF501 constant-prediction (output 'b')."],
        ),
    ],
)
def test_causes_explain_symptoms(findings, expected):
    assert explanations(findings) == expected


def test_causes_explain_symptoms_and_nothing_else():
    symptoms = {code for code, check in CHECKS.items() if check.is_symptom}
    explained = frozenset().union(*(check.explains for check in CHECKS.values()))
    # A gap that one layer may cause, and inputs that seem to say nothing.
    assert explained - symptoms == {"KTF131", "KTF301"}
    # A forecast repeats the last value with any loss and data.
    assert symptoms - {"KTF506"} <= explained
    assert not any(CHECKS[code].explains for code in symptoms)


def test_what_was_tried_where_no_cause_was_found():
    def shown(*codes, instruments=("gradient of each sample",)):
        findings = [
            Finding(code, "a-thing", "error", {}, "1.", "do()", "url") for code in codes
        ]
        text = str(Diagnosis(findings, instruments=instruments))
        return " ".join(text.split())

    assert "saw nothing wrong: gradient of each sample" in shown("KTF507")
    for codes in (("KTF201", "KTF507"), ()):
        assert "saw nothing wrong" not in shown(*codes)
    assert "saw nothing wrong" not in shown("KTF507", instruments=())
