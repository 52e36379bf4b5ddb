"""The first sentence: how the model stands, and what to do first."""

import re
from html import escape

import pytest

from keras_trainfix.diagnosis.findings import Diagnosis, Proof, Standing
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.report.verdict import (
    causes_of,
    what_is_mended,
)
from tests.diagnosis.report.samples import CAUSE, SYMPTOM, finding

NAN = float("nan")
SCALE = finding("KTF101", "warning")
RATE = finding("KTF401", evidence={"better_rate": 0.005})


def standing(skill=NAN, steps=100, **changes):
    values = {"output": None, "ranks": False, "is_finite": True, "checks": 90}
    return Standing(skill, steps=steps, **{**values, **changes})


@pytest.mark.parametrize(
    ("stands", "findings", "expected"),
    [
        (
            standing(-8.62),
            [SCALE, RATE, SYMPTOM],
            "Worse than a constant (skill -8.6) after 100 steps. First scale the "
            "inputs (KTF101); then lower the learning rate to 0.005 (KTF401).",
        ),
        (
            standing(0.02, steps=1, output="b"),
            [SCALE],
            "No better than a constant in output 'b' (skill 0.02) after 1 step. First "
            "scale the inputs (KTF101).",
        ),
        (
            standing(-0.4, ranks=True),
            [SCALE],
            "Worse than a constant (skill -0.40) after 100 steps, although the scores "
            "carry information. First scale the inputs (KTF101).",
        ),
        (
            standing(0.48, steps=None),
            [SCALE],
            "48 % of the way from a constant to a perfect answer. First "
            "scale the inputs (KTF101).",
        ),
        (
            standing(is_finite=False),
            [CAUSE],
            "The predictions are NaN or infinite. First start from new weights with "
            "smaller steps (KTF403).",
        ),
        (standing(), [SCALE], "First scale the inputs (KTF101)."),
        (None, [SCALE], "First scale the inputs (KTF101)."),
        (
            standing(0.01, steps=0),
            [SCALE],
            "No training step yet. First scale the inputs (KTF101).",
        ),
        (
            standing(-1e5, steps=0, control=(128, 0.02)),
            [SCALE],
            "No training step yet: 128 steps reach skill 0.02. First scale the inputs "
            "(KTF101).",
        ),
        (
            standing(0.01, steps=0, control=(128, 0.02)),
            [
                finding(
                    "KTF101", proof=Proof("the inputs standardized", -1, 0.91, 128, 1)
                )
            ],
            "No training step yet: as it is, 128 steps reach skill 0.00; with the "
            "inputs standardized, 0.91. First scale the inputs (KTF101).",
        ),
        (
            standing(0.6, steps=0),  # loaded weights
            [SCALE],
            "60 % of the way from a constant to a perfect answer. First "
            "scale the inputs (KTF101).",
        ),
        (
            standing(0.938),
            [],
            "No fault found in 90 checks of a model for regression; 94 % of the way "
            "from a constant to a perfect answer after 100 steps.",
        ),
        (
            standing(0.01),
            [finding("KTF132", "note")],
            "No fault found in 90 checks of a model for regression; yet no better than "
            "a constant (skill 0.01) after 100 steps.",
        ),
        (
            standing(steps=0, control=(64, 0.85)),
            [],
            "No fault found in 90 checks of a model for regression; no training step "
            "yet: 64 steps reach skill 0.85.",
        ),
        (standing(), [], "No fault found in 90 checks of a model for regression."),
    ],
)
def test_the_verdict(stands, findings, expected):
    diagnosis = Diagnosis(findings, {"output": "regression"}, standing=stands)
    assert diagnosis.verdict == expected
    shown = " ".join(str(diagnosis).split())
    assert shown.startswith(expected)
    assert escape(expected) in diagnosis._repr_html_()
    assert diagnosis.to_dict()["verdict"] == expected


def test_the_order_of_the_sentence_is_that_of_the_list():
    findings = [SCALE, RATE, CAUSE, SYMPTOM]
    text = Diagnosis(findings).verdict
    places = [text.find(one.code) for one in findings]
    assert places[0] < places[1]
    assert places[2:] == [-1, -1]  # two actions are enough, and a symptom is none


def test_a_symptom_is_what_to_look_at_where_no_cause_is_known():
    assert "(KTF501)" in Diagnosis([SYMPTOM]).verdict


def test_a_number_that_is_missing_is_left_out():
    text = Diagnosis([finding("KTF401", evidence={"better_rate": None})]).verdict
    assert text == "First lower the learning rate (KTF401)."


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([CAUSE, SYMPTOM], {2: ([1], True)}),
        ([SYMPTOM], {}),
        ([CAUSE], {}),
        ([SCALE, SYMPTOM], {2: ([1], False)}),
        ([CAUSE, SYMPTOM, SCALE], {2: ([1], True)}),
        ([SCALE, CAUSE, SYMPTOM], {3: ([1, 2], True)}),  # what ranks first comes first
        ([finding("KTF201"), CAUSE, SYMPTOM], {3: ([1, 2], True)}),
        ([CAUSE, SYMPTOM, finding("KTF503")], {2: ([1], True), 3: ([1], True)}),
        ([finding("KTF207"), SYMPTOM], {}),  # a metric explains no prediction
        ([finding(severity="note"), SYMPTOM], {}),
        ([CAUSE, finding("KTF501", "note")], {}),
        ([finding("KTF201", output="a"), finding("KTF501", output="b")], {}),
        (
            [CAUSE, finding("KTF201", output="a"), finding("KTF501", output="b")],
            {3: ([1], True)},
        ),
    ],
)
def test_causes_explain_symptoms(findings, expected):
    assert causes_of(findings) == expected


def test_a_symptom_points_to_its_cause():
    assert "help: see 1\n" in f"{Diagnosis([CAUSE, SYMPTOM])}\n"
    assert "help: see 1 and 2\n" in f"{Diagnosis([RATE, CAUSE, SYMPTOM])}\n"
    likely = str(Diagnosis([SCALE, SYMPTOM]))
    assert likely.endswith("help: see 1 first, which may be the cause")


def test_causes_explain_symptoms_and_nothing_else():
    symptoms = {code for code, check in CHECKS.items() if check.is_symptom}
    explained = frozenset().union(*(check.explains for check in CHECKS.values()))
    # A gap that one layer may cause, and inputs that seem to say nothing.
    assert explained - symptoms == {"KTF131", "KTF301"}
    # A forecast repeats the last value with any loss and data.
    assert symptoms - {"KTF506"} <= explained
    assert not any(CHECKS[code].explains for code in symptoms)


def test_the_offer_says_what_is_left():
    findings = [SCALE, finding("KTF201"), SYMPTOM, finding("KTF132", "note")]
    assert what_is_mended(Diagnosis(findings)) == ""
    assert what_is_mended(Diagnosis(findings, mendable=(2,))) == (
        "[*] 2 can be mended: model = diagnosis.fixed(model); left to you: 1"
    )
    both = what_is_mended(Diagnosis(findings, mendable=(1, 2)))
    assert both == "[*] 1, 2 can be mended: model = diagnosis.fixed(model)"


@pytest.mark.parametrize("skill", [-1e9, -1001, -1000, -110, -8.6, -0.001, 0.5, 1.0])
def test_a_person_writes_no_exponent(skill):
    standing_there = Diagnosis([], standing=standing(skill)).verdict
    assert not re.search(r"\de[+-]?\d|-0.00|100 %", standing_there)
