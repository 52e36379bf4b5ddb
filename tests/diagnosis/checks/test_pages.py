"""The page of every check has all parts, and its snippets show fault and repair."""

import re

import pytest

from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.trial.attempt import attempt
from tests.diagnosis.nets import judge, view
from tests.diagnosis.single import HEADINGS
from tests.diagnosis.snippets import faulty_and_fixed

# Of the fault on the page.
OTHER_SEVERITIES = {"KTF131": "note", "KTF210": "error"}


@pytest.mark.parametrize("code", CHECKS)
def test_the_page_has_all_headings(code):
    check = CHECKS[code]
    assert re.findall(r"^## (.*)$", check.page, re.MULTILINE) == HEADINGS
    assert check.summary.endswith(".")


@pytest.mark.parametrize("code", CHECKS)
def test_the_fault_is_found_and_the_repair_is_not(code):
    faulty, fixed = (
        view(names["model"], names["x"], names["y"], names.get("sample_weight"))
        for names in faulty_and_fixed(CHECKS[code])
    )
    finding = judge(code, faulty)
    if finding is None:  # it takes a trial
        for one in (faulty, fixed):
            attempt(one.snapshot, show_progress=False)
        finding = judge(code, faulty)
    assert finding.severity == OTHER_SEVERITIES.get(code, CHECKS[code].severity)
    assert judge(code, fixed) is None


@pytest.mark.parametrize("code", [code for code in CHECKS if code[3] in "13"])
def test_the_fault_has_no_other_name(code):
    names = faulty_and_fixed(CHECKS[code])[0]
    one = view(names["model"], names["x"], names["y"], names.get("sample_weight"))
    related = [other for other in CHECKS if other[:4] == code[:4]]
    found = [finding for other in related if (finding := judge(other, one))]
    above_note = {f.code for f in found if f.severity != "note"}
    assert above_note <= {code}
