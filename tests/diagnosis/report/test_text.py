"""A diagnosis as text for a terminal."""

import pytest

from keras_trainfix.diagnosis.findings import Diagnosis, Finding
from keras_trainfix.diagnosis.report import text
from tests.diagnosis.report.samples import CAUSE, SYMPTOM, finding


def test_the_text():
    diagnosis = Diagnosis(
        [CAUSE, SYMPTOM, finding("KTF132", "note", fix="")],
        {"output": "regression"},
        {"KTF301": "KeyError: 'x'"},
        mendable=(1,),
    )
    assert str(diagnosis) == (
        "First start from new weights with smaller steps (KTF403).\n"
        "\n"
        "A model for regression: 2 errors, 1 note.\n"
        "\n"
        "1. KTF403 dead-relu: error\n"
        "   All 64 units of [layer] <dense> are 0, so very so very so very so very so\n"
        "   very so very so very so very so very dead.\n"
        "   help:\n"
        "       do(this)\n"
        "\n"
        "       then(that)\n"
        "   more: python -m keras_trainfix explain KTF403\n"
        "\n"
        "2. KTF501 constant-prediction: error\n"
        "   All of 9 are 1.\n"
        "   help: see 1\n"
        "\n"
        "3. KTF132 bad-it: note\n"
        "   All 64 units of [layer] <dense> are 0, so very so very so very so very so\n"
        "   very so very so very so very so very dead.\n"
        "   more: python -m keras_trainfix explain KTF132\n"
        "\n"
        "[*] 1 can be mended: model = diagnosis.fixed(model)\n"
        "\n"
        "Not checked: KTF301 (KeyError: 'x')."
    )
    assert repr(diagnosis) == str(diagnosis)


def test_a_page_that_is_published_has_an_address(monkeypatch):
    monkeypatch.setattr(text, "IS_PUBLISHED", True)
    assert str(CAUSE).endswith("more: https://example.org/KTF403/")


@pytest.mark.parametrize("message", ["", "One.\n\nTwo 2.", "x" * 100])
def test_odd_messages(message):
    words = str(finding(message=message))
    assert words.endswith("more: python -m keras_trainfix explain KTF403")
    assert all(part in words for part in message.splitlines())


def test_ten_findings_stay_aligned():
    lines = str(Diagnosis([CAUSE] * 10)).splitlines()
    assert "1. KTF403 dead-relu: error" in lines
    assert "10. KTF403 dead-relu: error" in lines


def test_what_was_tried_where_no_cause_was_found():
    def shown(*codes, instruments=("gradient of each sample",)):
        findings = [
            Finding(code, "a-thing", "error", {}, "1.", "do()", "url") for code in codes
        ]
        words = str(Diagnosis(findings, instruments=instruments))
        return " ".join(words.split())

    assert "saw nothing wrong: gradient of each sample" in shown("KTF507")
    for codes in (("KTF201", "KTF507"), ()):
        assert "saw nothing wrong" not in shown(*codes)
    assert "saw nothing wrong" not in shown("KTF507", instruments=())
