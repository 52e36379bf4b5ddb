"""What a diagnosis means for a training: a table."""

import pytest

from keras_trainfix import Diagnosis, Finding
from keras_trainfix.callbacks.collapse import verdict
from keras_trainfix.diagnosis.registry import CHECKS

SYMPTOM, DEAD, NAN = "KTF501", "KTF403", "KTF409"
HEAD, PENALTY, GAP, RARE = "KTF201", "KTF408", "KTF301", "KTF504"


def diagnosis(*pairs):
    return Diagnosis(
        [
            Finding(code, CHECKS[code].name, severity, {}, "", "", "")
            for code, severity in pairs
        ]
    )


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], set()),
        ([(SYMPTOM, "error")], {"is_collapse", "is_named", "may_pass"}),
        ([(SYMPTOM, "warning")], {"is_collapse", "may_pass"}),
        ([(SYMPTOM, "note")], {"may_pass"}),
        ([(RARE, "warning")], {"may_pass"}),
        (
            [(DEAD, "error")],
            {"is_collapse", "is_irreversible", "names_cause", "is_named"},
        ),
        ([(DEAD, "warning")], {"names_cause"}),
        (
            [(NAN, "error")],
            {"is_collapse", "is_irreversible", "names_cause", "is_named"},
        ),
        ([(HEAD, "error")], {"names_cause", "is_named"}),
        ([(PENALTY, "warning")], {"names_cause", "is_named"}),  # more steps do not help
        ([(GAP, "warning")], {"names_cause", "may_pass"}),
        ([(GAP, "warning"), (HEAD, "error")], {"names_cause", "is_named"}),
    ],
)
def test_in_the_first_steps(pairs, expected):
    found = diagnosis(*pairs)
    expected = expected | (set() if pairs else {"may_pass"})
    seen = {
        "is_collapse": verdict.is_collapse(found),
        "is_named": verdict.is_named(found, 40),
        "is_irreversible": verdict.is_irreversible(found),
        "names_cause": verdict.names_cause(found),
        "may_pass": verdict.may_pass(found, 40),
    }
    assert {name for name, is_so in seen.items() if is_so} == expected


def test_after_many_steps_there_is_no_excuse():
    warned = diagnosis((DEAD, "warning"))
    assert not verdict.is_named(warned, verdict.LONG - 1)
    assert verdict.is_named(warned, verdict.LONG)
    symptom = diagnosis((SYMPTOM, "warning"))
    assert verdict.may_pass(symptom, verdict.LONG - 1)
    assert not verdict.may_pass(symptom, verdict.LONG)


def test_units_that_are_just_dying():
    warned = diagnosis((DEAD, "warning"))
    assert verdict.is_collapse(warned, is_dying=True)
    assert not verdict.is_collapse(warned)
    assert not verdict.is_collapse(diagnosis((DEAD, "note")), is_dying=True)


def test_statistics_that_lag_behind():
    found = diagnosis((HEAD, "error"), (GAP, "warning"))
    assert verdict.stale_statistics(found) is found.findings[1]
    assert verdict.stale_statistics(diagnosis((HEAD, "error"))) is None


def test_nothing_to_learn_is_reason_enough_as_a_note():
    assert verdict.explains_as_note(diagnosis(("KTF131", "note")))
    assert not verdict.explains_as_note(diagnosis(("KTF132", "note")))
