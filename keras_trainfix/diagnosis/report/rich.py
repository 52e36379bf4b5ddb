"""A diagnosis for a terminal with rich."""

from collections.abc import Iterator
from typing import Any

from keras_trainfix.diagnosis.findings import Diagnosis, provides
from keras_trainfix.diagnosis.report.text import (
    failed_checks,
    headline,
    not_judged,
    proof_sentence,
    remarks,
    where,
)

STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold blue"}


@provides
def rich_parts(diagnosis: Diagnosis) -> Iterator[Any]:
    """Yields what rich prints: the opening, and a table of the findings."""
    from rich import box
    from rich.console import Group
    from rich.syntax import Syntax
    from rich.table import Table
    from rich.text import Text

    for sentence in not_judged(diagnosis):
        yield Text(sentence, style="bold yellow")
    is_fine = not diagnosis.findings and not diagnosis.skipped
    yield Text(headline(diagnosis), style="bold green" if is_fine else "bold")
    for sentence in remarks(diagnosis):
        yield Text(sentence)
    if diagnosis.findings:
        table = Table(
            box=box.HORIZONTALS, show_header=False, show_lines=True, pad_edge=False
        )
        table.add_column(justify="right", style="bold")
        table.add_column()
        for number, finding in enumerate(diagnosis.findings, 1):
            first = Text.assemble(
                (finding.code, f"bold link {finding.url}"),
                f" {finding.name} ",
                (finding.severity, STYLES[finding.severity]),
                where(finding),
            )
            code = Syntax(
                finding.fix,
                "python",
                theme="ansi_dark",
                background_color="default",
                word_wrap=True,
            )
            url = Text(finding.url, style="dim")
            parts = [first, Text(finding.message)]
            if finding.proof is not None:
                parts.append(Text(proof_sentence(finding.proof), style="green"))
            table.add_row(str(number), Group(*parts, code, url))
        yield table
    failed = failed_checks(diagnosis)
    if failed:
        yield Text(failed, style="dim")
