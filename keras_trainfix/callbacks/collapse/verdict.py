"""What a diagnosis means for a training that is running."""

from keras_trainfix.callbacks.collapse.schedule import LONG
from keras_trainfix.diagnosis.findings import Diagnosis, Finding
from keras_trainfix.diagnosis.registry import CHECKS, Check


def has_error(diagnosis: Diagnosis) -> bool:
    """Whether a finding is an error."""
    return any(finding.severity == "error" for finding in diagnosis.findings)


def is_collapse(diagnosis: Diagnosis, is_dying: bool = False) -> bool:
    """Whether a diagnosis says that the model gives no answer, whatever the reason.

    Args:
        diagnosis: `Diagnosis`.
        is_dying: Whether most units of a layer have just died, so that a warning about
            them is enough.
    """
    return is_irreversible(diagnosis) or any(
        check.collapse or (is_dying and check.irreversible)
        for _, check in _above_notes(diagnosis)
    )


def is_named(diagnosis: Diagnosis, steps: int) -> bool:
    """Whether a diagnosis says why there is no skill, and why none will come."""
    bad = _above_notes(diagnosis)
    if steps >= LONG:
        return bool(bad)
    return any(f.severity == "error" or check.persistent for f, check in bad)


def names_cause(diagnosis: Diagnosis) -> bool:
    """Whether there is more than symptoms."""
    return any(not check.is_symptom for _, check in _above_notes(diagnosis))


def may_pass(diagnosis: Diagnosis, steps: int) -> bool:
    """Whether more steps may help: a symptom without a cause, or lagging statistics."""
    return steps < LONG and all(
        check.transient or check.is_symptom for _, check in _above_notes(diagnosis)
    )


def is_irreversible(diagnosis: Diagnosis) -> bool:
    """Whether no further step can change what a diagnosis says."""
    return any(
        finding.severity == "error" and check.irreversible
        for finding, check in _above_notes(diagnosis)
    )


def explains_as_note(diagnosis: Diagnosis) -> bool:
    """Whether a finding, if only a note, is reason enough for a failure."""
    return any(CHECKS[code].counts_as_note for code in diagnosis.codes)


def stale_statistics(diagnosis: Diagnosis) -> Finding | None:
    """The finding about statistics that lag behind, or None."""
    return next(
        (finding for finding in diagnosis.findings if CHECKS[finding.code].transient),
        None,
    )


def _above_notes(diagnosis: Diagnosis) -> list[tuple[Finding, Check]]:
    findings = [f for f in diagnosis.findings if f.severity != "note"]
    return [(finding, CHECKS[finding.code]) for finding in findings]
