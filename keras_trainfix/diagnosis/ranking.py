"""The order of findings: what to repair first comes first."""

import functools

from keras_trainfix.diagnosis.findings import SEVERITIES, Finding
from keras_trainfix.diagnosis.registry import CHECKS, FAMILIES

OPTIMIZATION = FAMILIES["4"]
EXACT = 0.5  # the place of an exact statement: after heads, before data


def ranked(findings: list[Finding]) -> list[Finding]:
    """Findings, causes before symptoms, the strongest first, notes last.

    Those that another finding overrules are left out: no two contradict each other.
    """
    kept = [f for f in findings if not any(_overrules(o, f) for o in findings)]
    return sorted(kept, key=functools.partial(_rank, kept))


def _overrules(finding, other):
    """Whether the other cannot be given beside a finding above a note."""
    is_same = None in (finding.output, other.output) or finding.output == other.output
    counts = is_same and finding.severity != "note"
    return counts and other.code in CHECKS[finding.code].overrules


def _rank(findings, finding):
    check, severity = CHECKS[finding.code], SEVERITIES.index(finding.severity)
    is_note = finding.severity == "note"
    if check.sets_rate and not is_note and any(map(_is_failed_optimization, findings)):
        severity = 0
    is_consequence = check.follows and any(map(check.follows, findings))
    family: float = (OPTIMIZATION if is_consequence else check.family).order
    family = min(family, EXACT) if check.exact and not is_consequence else family
    is_mild = check.mild and finding.severity == "warning"
    return is_note, check.is_symptom, severity, is_mild, family, check.order


def _is_failed_optimization(finding):
    is_error = finding.severity == "error"
    return is_error and CHECKS[finding.code].family == OPTIMIZATION
