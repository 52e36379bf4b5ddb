"""A diagnosis as text for a terminal, and the sentences that all its forms share."""

import textwrap
from collections import Counter
from collections.abc import Sequence

from keras_trainfix.diagnosis.findings import (
    SEVERITIES,
    Diagnosis,
    Finding,
    Proof,
    provides,
)
from keras_trainfix.diagnosis.registry import CHECKS, symptoms_of
from keras_trainfix.messages import count

WIDTH = 80  # columns of a terminal
INDENT = " " * 3
# The entries of `Diagnosis.skipped` that are no checks: whole sentences.
PARTS = ("targets", "answers", "trial", "treatments")


@provides
def finding_text(finding: Finding) -> str:
    """A finding as lines for a terminal."""
    first = f"{finding.code} {finding.name}: {finding.severity}{where(finding)}"
    lines = [first, *_wrapped(finding.message, WIDTH - len(INDENT))]
    if finding.proof is not None:
        lines += _wrapped(proof_sentence(finding.proof), WIDTH - len(INDENT))
    lines += [f"    {line}".rstrip() for line in finding.fix.splitlines()]
    return "\n".join([*lines, f"    {finding.url}"])


@provides
def diagnosis_text(diagnosis: Diagnosis) -> str:
    """A diagnosis as numbered paragraphs for a terminal."""
    sentences = [
        *not_judged(diagnosis),
        headline(diagnosis),
        *remarks(diagnosis),
    ]
    paragraphs = ["\n".join(_wrapped(sentence, WIDTH)) for sentence in sentences]
    for number, finding in enumerate(diagnosis.findings, 1):
        text = textwrap.indent(finding_text(finding), INDENT)
        paragraphs.append(f"{number}. {text.lstrip()}")
    failed = failed_checks(diagnosis)
    if failed:
        paragraphs.append("\n".join(_wrapped(failed, WIDTH)))
    return "\n\n".join(paragraphs)


def not_judged(diagnosis: Diagnosis) -> list[str]:
    """Sentences that say which parts of a model could not be judged, and why."""
    return [diagnosis.skipped[part] for part in PARTS if part in diagnosis.skipped]


def remarks(diagnosis: Diagnosis) -> list[str]:
    """What a diagnosis did, which findings explain others, and what was tried."""
    return [
        *diagnosis.remarks,
        *explanations(diagnosis.findings),
        *tried(diagnosis),
    ]


def tried(diagnosis: Diagnosis) -> list[str]:
    """What was looked at where a model failed and no cause was found."""
    bad = {f.code for f in diagnosis.findings if f.severity != "note"}
    symptoms = {code for code, check in CHECKS.items() if check.is_symptom}
    if not bad or not bad <= symptoms or not diagnosis.instruments:
        return []
    names = "; ".join(diagnosis.instruments)
    return [f"No cause was found. These experiments saw nothing wrong: {names}."]


def failed_checks(diagnosis: Diagnosis) -> str:
    """A sentence about the checks that could not run, empty if there is none."""
    reasons = [
        f"{code} ({reason})"
        for code, reason in diagnosis.skipped.items()
        if code not in PARTS
    ]
    return f"Not checked: {'; '.join(reasons)}." if reasons else ""


def headline(diagnosis: Diagnosis) -> str:
    """What the outputs are for, and how many findings there are of each severity."""
    tasks = ", ".join(f"{name}: {task}" for name, task in diagnosis.tasks.items())
    if len(diagnosis.tasks) == 1:
        (tasks,) = diagnosis.tasks.values()
        tasks = "an unknown task" if tasks == "unknown" else tasks
    model = f" of a model for {tasks}" if tasks else ""
    counts = Counter(finding.severity for finding in diagnosis.findings)
    found = [count(counts[s], s) for s in SEVERITIES if counts[s]]
    nothing = "nothing found"
    if diagnosis.skipped:
        nothing = "incomplete, no fault in what could be checked"
    judged = ""
    if {"targets", "answers"} & diagnosis.skipped.keys():
        which = "some" if len(diagnosis.tasks) > 1 else "the"
        judged = f"; {which} answers were not compared with targets"
    return f"Diagnosis{model}: {', '.join(found) or nothing}{judged}."


def explanations(findings: Sequence[Finding]) -> list[str]:
    """Which of the findings explain others.

    Args:
        findings: List of `Finding`.

    Returns:
        List of strings, a sentence for each set of causes. Errors explain; if there
        are only warnings, they may.
    """
    explained: dict[tuple, list] = {}
    for symptom in findings:
        causes = [cause for cause in findings if _can_cause(cause, symptom)]
        errors = [cause for cause in causes if cause.severity == "error"]
        if causes:
            titles = tuple(_title(cause) for cause in errors or causes)
            explained.setdefault((titles, bool(errors)), []).append(_title(symptom))
    sentences = []
    for (causes, is_sure), symptoms in explained.items():
        verb = ("explains" if len(causes) == 1 else "explain") if is_sure else None
        sentences.append(
            f"{_joined(causes)} {verb or 'may explain'} {_joined(symptoms)}."
        )
    return sentences


def proof_sentence(proof: Proof) -> str:
    """What a treatment did, in a sentence.

    Examples:
        >>> proof_sentence(Proof("balanced class weights", 0.1, 0.75, 128, True))
        'Tried: with balanced class weights, 128 steps reach skill 0.75; without, 0.10.'
    """
    if not proof.holds:
        return f"Tried: {proof.treatment} made no difference in {proof.steps} steps."
    return (
        f"Tried: with {proof.treatment}, {proof.steps} steps reach skill "
        f"{proof.skill_with:.2f}; without, {max(proof.skill_without, 0):.2f}."
    )


def where(finding: Finding) -> str:
    """The output that a finding concerns, in parentheses; empty for the whole model."""
    return f" (output '{finding.output}')" if finding.output else ""


def _can_cause(cause: Finding, symptom: Finding) -> bool:
    same = cause.output == symptom.output or None in (cause.output, symptom.output)
    counts = "note" not in (cause.severity, symptom.severity)
    return same and counts and symptom.code in symptoms_of(cause.code)


def _title(finding: Finding) -> str:
    return f"{finding.code} {finding.name}{where(finding)}"


def _joined(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of a text; the line breaks that it has stay."""
    return [
        part
        for line in text.splitlines()
        for part in textwrap.wrap(
            line, width, break_long_words=False, break_on_hyphens=False
        )
        or [""]
    ]
