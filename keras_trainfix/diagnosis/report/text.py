"""A diagnosis as text for a terminal, and the sentences that all its forms share."""

import textwrap
from collections.abc import Sequence

from keras_trainfix.diagnosis.findings import (
    IS_PUBLISHED,
    Diagnosis,
    Finding,
    Proof,
    provides,
)
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.report.code_lines import folded
from keras_trainfix.diagnosis.report.verdict import (
    causes_of,
    counted,
    what_is_mended,
)

WIDTH = 80  # columns of a terminal
INDENT, CODE = " " * 3, " " * 4
# The entries of `Diagnosis.skipped` that are no checks: whole sentences.
PARTS = ("targets", "answers", "trial", "treatments")


@provides
def finding_text(finding: Finding, see: str = "") -> str:
    """A finding as lines for a terminal.

    Args:
        finding: `Finding`.
        see: String, where the cause is; then its code is no help.
    """
    first = f"{finding.code} {finding.name}: {finding.severity}{where(finding)}"
    lines = [first, *_wrapped(finding.message, WIDTH - len(INDENT))]
    if finding.proof is not None:
        lines += _wrapped(proof_sentence(finding.proof), WIDTH - len(INDENT))
    if see:
        return "\n".join([*lines, f"help: {see}"])
    code = folded(finding.fix, WIDTH - len(INDENT + CODE))
    if code:
        lines += ["help:", *(f"{CODE}{line}".rstrip() for line in code)]
    return "\n".join([*lines, f"more: {more_about(finding)}"])


@provides
def diagnosis_text(diagnosis: Diagnosis) -> str:
    """A diagnosis as numbered paragraphs for a terminal."""
    sentences = opening(diagnosis)
    paragraphs = ["\n".join(_wrapped(sentence, WIDTH)) for sentence in sentences]
    for number, finding in enumerate(diagnosis.findings, 1):
        see = cause_of(diagnosis, number)
        text = textwrap.indent(finding_text(finding, see), INDENT)
        paragraphs.append(f"{number}. {text.lstrip()}")
    closing = filter(None, [what_is_mended(diagnosis), failed_checks(diagnosis)])
    paragraphs += ["\n".join(_wrapped(sentence, WIDTH)) for sentence in closing]
    return "\n\n".join(paragraphs)


def opening(diagnosis: Diagnosis) -> list[str]:
    """The sentences before the findings: what could not be judged, and the verdict."""
    count = [counted(diagnosis)] if diagnosis.findings else []
    return [
        *not_judged(diagnosis),
        diagnosis.verdict,
        *count,
        *diagnosis.remarks,
        *tried(diagnosis),
    ]


def cause_of(diagnosis: Diagnosis, number: int) -> str:
    """Where the cause of a finding is: `"see 1"`; empty where none is known.

    Args:
        diagnosis: `Diagnosis`.
        number: Integer, of the finding, from 1.
    """
    causes, is_sure = causes_of(diagnosis.findings).get(number, ([], True))
    numbers = _joined([str(cause) for cause in causes]) if causes else ""
    rest = "" if is_sure else " first, which may be the cause"
    return f"see {numbers}{rest}" if numbers else ""


def more_about(finding: Finding) -> str:
    """Where to read more about a finding: the command, or the address of its page."""
    command = f"python -m keras_trainfix explain {finding.code}"
    return finding.url if IS_PUBLISHED else command


def not_judged(diagnosis: Diagnosis) -> list[str]:
    """Sentences that say which parts of a model could not be judged, and why."""
    return [diagnosis.skipped[part] for part in PARTS if part in diagnosis.skipped]


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
