"""The first sentence of a diagnosis: how the model stands, and what to do first."""

import math
from collections import Counter
from collections.abc import Sequence

from keras_trainfix.diagnosis.findings import (
    SEVERITIES,
    Diagnosis,
    Finding,
    Proof,
    Standing,
    provides,
)
from keras_trainfix.diagnosis.registry import CHECKS, symptoms_of
from keras_trainfix.messages import count, skill_in_words

NO_SKILL = 0.05  # of skill, on either side of 0
LOADED = 0.5  # skill that tells of loaded weights, where no step was made
MOST_ACTIONS = 2


@provides
def verdict(diagnosis: Diagnosis) -> str:
    """One or two sentences: how the model stands, and what to do first.

    Examples:
        >>> verdict(Diagnosis([]))
        'No fault found.'
    """
    standing = diagnosis.standing
    if diagnosis.ok:
        return _all_clear(diagnosis)
    state = "" if standing is None else _state(standing, diagnosis.findings)
    return " ".join(filter(None, [state, _first_actions(diagnosis.findings)]))


def is_well(diagnosis: Diagnosis) -> bool:
    """Whether nothing is wrong, all could be judged, and training has led somewhere."""
    standing = diagnosis.standing
    if standing is not None and standing.steps and standing.skill < NO_SKILL:
        return False
    return diagnosis.ok and not diagnosis.skipped


def counted(diagnosis: Diagnosis) -> str:
    """What the outputs are for, and how many findings there are of each severity."""
    counts = Counter(finding.severity for finding in diagnosis.findings)
    found = ", ".join(count(counts[s], s) for s in SEVERITIES if counts[s])
    tasks = _tasks(diagnosis)
    return f"A model for {tasks}: {found}." if tasks else f"{found}."


def causes_of(findings: Sequence[Finding]) -> dict[int, tuple[list[int], bool]]:
    """Which findings follow from which others.

    Args:
        findings: List of `Finding`, in the order of the diagnosis.

    Returns:
        Dict of the number of a finding, from 1, to a pair: the numbers of its causes,
        and whether it is sure that these explain it. Errors explain, with all that
        stands before them; warnings alone may.
    """
    explained = {}
    for number, symptom in enumerate(findings, 1):
        causes = [
            place
            for place, cause in enumerate(findings, 1)
            if _can_cause(cause, symptom)
        ]
        errors = [n for n in causes if findings[n - 1].severity == "error"]
        if errors:
            causes = [n for n in causes if n <= errors[-1]]
        if causes:
            explained[number] = (causes, bool(errors))
    return explained


def what_is_mended(diagnosis: Diagnosis) -> str:
    """A line that offers `fixed` and says what it leaves; empty if it mends none."""
    if not diagnosis.mendable:
        return ""
    explained = causes_of(diagnosis.findings)
    left = [
        number
        for number, finding in enumerate(diagnosis.findings, 1)
        if finding.severity != "note"
        and number not in diagnosis.mendable
        and number not in explained
    ]
    rest = f"; left to you: {_listed(left)}" if left else ""
    return (
        f"[*] {_listed(diagnosis.mendable)} can be mended: "
        f"model = diagnosis.fixed(model){rest}"
    )


def _all_clear(diagnosis: Diagnosis) -> str:
    standing, tasks = diagnosis.standing, _tasks(diagnosis)
    checks = f" in {count(standing.checks, 'check')}" if standing else ""
    of_model = f" of a model for {tasks}" if tasks and checks else ""
    first = f"No fault found{checks}{of_model}"
    if diagnosis.skipped:
        first = f"Incomplete: no fault in what could be checked{of_model}"
    rest = ""
    if {"targets", "answers"} & diagnosis.skipped.keys():
        which = "some" if len(diagnosis.tasks) > 1 else "the"
        rest = f"; {which} answers were not compared with targets"
    state = "" if standing is None else _state(standing, []).rstrip(".")
    if state:
        is_poor = standing is not None and standing.skill < NO_SKILL
        yet = "yet " if is_poor and not state.startswith("No training") else ""
        rest += f"; {yet}{state[0].lower()}{state[1:]}"
    return f"{first}{rest}."


def _state(standing: Standing, findings: Sequence[Finding]) -> str:
    """How far the model is from a constant answer and from a perfect one."""
    skill, where = standing.skill, ""
    if standing.output is not None:
        where = f" in output '{standing.output}'"
    if not standing.is_finite:
        return "The predictions are NaN or infinite."
    if standing.steps == 0 and not skill >= LOADED:
        return _before_training(standing, findings)
    after = f" after {count(standing.steps, 'step')}" if standing.steps else ""
    if not math.isfinite(skill):
        return ""
    words = skill_in_words(skill)
    if skill < -NO_SKILL and standing.ranks:
        return (
            f"Worse than a constant{where} (skill {words}){after}, although the scores "
            "carry information."
        )
    if skill < -NO_SKILL:
        return f"Worse than a constant{where} (skill {words}){after}."
    if skill < NO_SKILL:
        return f"No better than a constant{where} (skill {words}){after}."
    share = f"{100 * skill:.0f}" if skill < 0.995 else "Over 99"
    return f"{share} % of the way from a constant to a perfect answer{where}{after}."


def _before_training(standing: Standing, findings: Sequence[Finding]) -> str:
    proof = next((f.proof for f in findings if _is_proven(f)), None)
    if proof is not None:
        return f"No training step yet: {_compared(proof)}."
    if standing.control is None:
        return "No training step yet."
    steps, skill = standing.control
    reached = skill_in_words(max(skill, 0))
    return f"No training step yet: {count(steps, 'step')} reach skill {reached}."


def _compared(proof: Proof) -> str:
    return (
        f"as it is, {count(proof.steps, 'step')} reach skill "
        f"{skill_in_words(max(proof.skill_without, 0))}; with {proof.treatment}, "
        f"{skill_in_words(proof.skill_with)}"
    )


def _is_proven(finding: Finding) -> bool:
    proof = finding.proof
    return finding.severity != "note" and proof is not None and proof.holds


def _first_actions(findings: Sequence[Finding]) -> str:
    """What to do first, and then: in the order of the findings, symptoms left out."""
    explained = causes_of(findings)
    actions: dict[str, str] = {}  # in words, to the code
    for number, finding in enumerate(findings, 1):
        if finding.severity == "note" or number in explained:
            continue
        check = CHECKS.get(finding.code)
        words = check.action_for(finding) if check else f"look at {finding.name}"
        actions.setdefault(words, finding.code)
    parts = [f"{words} ({code})" for words, code in actions.items()]
    return f"First {'; then '.join(parts[:MOST_ACTIONS])}." if parts else ""


def _can_cause(cause: Finding, symptom: Finding) -> bool:
    same = cause.output == symptom.output or None in (cause.output, symptom.output)
    counts = "note" not in (cause.severity, symptom.severity)
    return same and counts and symptom.code in symptoms_of(cause.code)


def _tasks(diagnosis: Diagnosis) -> str:
    tasks = ", ".join(f"{name}: {task}" for name, task in diagnosis.tasks.items())
    if len(diagnosis.tasks) == 1:
        (tasks,) = diagnosis.tasks.values()
        return "an unknown task" if tasks == "unknown" else tasks
    return tasks


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
