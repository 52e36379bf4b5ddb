"""What to repair first stands first."""

import dataclasses

import pytest

from keras_trainfix.diagnosis.findings import Finding
from keras_trainfix.diagnosis.ranking import ranked
from keras_trainfix.diagnosis.registry import CHECKS


def finding(severity="error", code="KTF201", evidence=None):
    return Finding(code, "a-bad-thing", severity, evidence or {}, "1.", "do()", "url")


def test_what_to_repair_first_comes_first():
    found_in_order = [
        ("KTF205", "error"),  # a wrong head stops all, whatever else is wrong
        ("KTF111", "warning"),  # the scale of the data, as it explains the next
        ("KTF407", "error"),
        ("KTF401", "error"),
        ("KTF403", "error"),
        ("KTF204", "warning"),
        ("KTF125", "warning"),
        ("KTF408", "warning"),
        ("KTF206", "warning"),  # which slows training down, and does not stop it
        ("KTF207", "warning"),
        ("KTF127", "warning"),
        ("KTF501", "error"),  # a symptom, after all that may be its cause
        ("KTF132", "note"),
        ("KTF404", "note"),
    ]
    findings = [finding(severity, code=code) for code, severity in found_in_order]
    assert ranked(findings[::-1]) == findings


def test_statistics_wait_where_steps_hardly_change_weights():
    stale = finding("warning", code="KTF301")
    for change, order in ((1e-6, [1, 0]), (1e-2, [0, 1])):
        evidence = {"update_ratio": change}
        slow = finding("warning", code="KTF402", evidence=evidence)
        both = [stale, slow]
        assert ranked(both) == [both[i] for i in order]


def test_a_loss_scale_falls_after_a_rate_that_is_too_high():
    fallen = finding("error", code="KTF418")
    rate = finding("error", code="KTF401")
    data = finding("error", code="KTF113")
    assert ranked([fallen, rate]) == [rate, fallen]
    assert ranked([data, fallen]) == [fallen, data]


def test_the_scale_of_the_data_waits_where_optimization_is_fine():
    findings = [
        finding("error", code="KTF113"),
        finding("warning", code="KTF111"),
        finding("note", code="KTF101"),
    ]
    assert ranked(findings[::-1]) == findings


def test_notes_come_last_and_symptoms_after_causes():
    findings = [
        finding("warning", "KTF402"),
        finding("error", "KTF501"),
        finding("note", "KTF201"),
    ]
    assert ranked(findings[::-1]) == findings


@pytest.mark.parametrize("severity", ["warning", "note"])
def test_a_scale_explains_a_failed_optimization_unless_it_is_a_note(severity):
    scale, rate = finding(severity, "KTF111"), finding("error", "KTF401")
    expected = [scale, rate] if severity == "warning" else [rate, scale]
    assert ranked([rate, scale]) == expected


PAIRS = [(code, other) for code, c in CHECKS.items() for other in sorted(c.overrules)]


@pytest.mark.parametrize(("code", "other"), PAIRS)
def test_findings_that_contradict_each_other_are_not_given_together(code, other):
    assert other in CHECKS
    both = [finding(code=other), finding(code=code)]
    assert ranked(both) == both[1:]
    mere = [finding(code=other), finding("note", code)]
    assert ranked(mere) == mere


def test_a_finding_overrules_those_of_its_own_output():
    def of(output, code):
        return dataclasses.replace(finding(code=code), output=output)

    model, one, two = (of(o, "KTF402") for o in (None, "one", "two"))
    cause = of("one", "KTF401")
    assert set(map(id, ranked([cause, model, one, two]))) == {id(cause), id(two)}
