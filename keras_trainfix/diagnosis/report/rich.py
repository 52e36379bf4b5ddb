"""A diagnosis for a terminal with rich: each finding with its code behind a gutter."""

from collections.abc import Iterator
from typing import Any

from keras_trainfix.diagnosis.findings import (
    IS_PUBLISHED,
    Diagnosis,
    Finding,
    provides,
)
from keras_trainfix.diagnosis.report.code_lines import folded
from keras_trainfix.diagnosis.report.text import (
    cause_of,
    failed_checks,
    more_about,
    not_judged,
    opening,
    proof_sentence,
    where,
)
from keras_trainfix.diagnosis.report.verdict import is_well, what_is_mended

STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold blue"}
INDENT = 3  # columns
GUTTER = "  │ "
# Where a terminal may end earlier: a line of code is never broken within a phrase.
WIDEST = 100


@provides
def rich_parts(diagnosis: Diagnosis, width: int = 80) -> Iterator[Any]:
    """Yields what rich prints: the opening, and each finding.

    Args:
        diagnosis: `Diagnosis`.
        width: Integer, the columns of the terminal.
    """
    from rich.text import Text

    unjudged = not_judged(diagnosis)
    for sentence in opening(diagnosis):
        style = "bold yellow" if sentence in unjudged else ""
        if sentence == diagnosis.verdict:
            style = _style_of_verdict(diagnosis)
        yield Text(sentence, style=style)
    for number, finding in enumerate(diagnosis.findings, 1):
        yield Text()
        yield from _finding(number, finding, cause_of(diagnosis, number), width)
    if diagnosis.findings:
        yield Text()
    if what_is_mended(diagnosis):
        yield Text(what_is_mended(diagnosis), style="bold green")
    failed = failed_checks(diagnosis)
    if failed:
        yield Text(failed, style="dim")


def _finding(number: int, finding: Finding, see: str, width: int) -> Iterator[Any]:
    from rich.padding import Padding
    from rich.text import Text

    link = f" link {finding.url}" if IS_PUBLISHED else ""
    yield Text.assemble(
        (f"{number}. ", "bold"),
        (f"{finding.severity}[{finding.code}]", f"{STYLES[finding.severity]}{link}"),
        (f" {finding.name}", "bold"),
        where(finding),
    )
    parts = [Text(finding.message)]
    if finding.proof is not None:
        style = "green" if finding.proof.holds else "dim"
        parts.append(Text(proof_sentence(finding.proof), style=style))
    parts.append(Text.assemble(("help:", "bold cyan"), f" {see}" if see else ""))
    if not see:
        parts += _code(finding.fix, min(width, WIDEST) - INDENT - len(GUTTER))
        parts.append(Text(f"more: {more_about(finding)}", style="dim"))
    for part in parts:
        yield Padding(part, (0, 0, 0, INDENT), expand=False)


def _code(code: str, width: int) -> list[Any]:
    """Highlighted lines behind a gutter."""
    from rich.syntax import Syntax
    from rich.text import Text

    lines = folded(code, width)
    syntax = Syntax("", "python", theme="ansi_dark", background_color="default")
    shown = syntax.highlight("\n".join(lines))
    shown.rstrip()
    return [
        Text.assemble((GUTTER, "dim cyan"), line, no_wrap=True, overflow="fold")
        for line in shown.split("\n", allow_blank=True)
    ]


def _style_of_verdict(diagnosis: Diagnosis) -> str:
    if not diagnosis.ok:
        return "bold"
    return "bold green" if is_well(diagnosis) else "bold yellow"
