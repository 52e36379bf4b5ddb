"""A diagnosis to read: as text, in a terminal that knows rich, as HTML."""

import html
import textwrap
from collections import Counter

from keras_trainfix.diagnosis.registry import symptoms_of
from keras_trainfix.diagnosis.report.plots import draw

WIDTH = 80  # columns of a terminal
INDENT = " " * 3
# From the worst.
COLORS = {"error": "#d1242f", "warning": "#b08000", "note": "#2f81f7"}
FINE = "#2da44e"
RICH_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold blue"}


def finding_text(finding):
    """A finding as lines for a terminal."""
    first = f"{finding.code} {finding.name}: {finding.severity}{_where(finding)}"
    lines = [first, *_wrapped(finding.message, WIDTH - len(INDENT))]
    lines += [f"    {line}".rstrip() for line in finding.fix.splitlines()]
    return "\n".join([*lines, f"    {finding.url}"])


def diagnosis_text(diagnosis):
    """A diagnosis as numbered paragraphs for a terminal."""
    paragraphs = ["\n".join(_wrapped(line, WIDTH)) for line in _opening(diagnosis)]
    for number, finding in enumerate(diagnosis.findings, 1):
        text = textwrap.indent(finding_text(finding), INDENT)
        paragraphs.append(f"{number}. {text.lstrip()}")
    if diagnosis.skipped:
        paragraphs.append("\n".join(_wrapped(_skipped(diagnosis), WIDTH)))
    return "\n\n".join(paragraphs)


def rich_parts(diagnosis):
    """Yields what rich prints: the opening, and a table of the findings."""
    from rich import box
    from rich.console import Group
    from rich.syntax import Syntax
    from rich.table import Table
    from rich.text import Text

    headline, *sentences = _opening(diagnosis)
    yield Text(headline, style="bold" if diagnosis.findings else "bold green")
    for sentence in sentences:
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
                (finding.severity, RICH_STYLES[finding.severity]),
                _where(finding),
            )
            code = Syntax(
                finding.fix,
                "python",
                theme="ansi_dark",
                background_color="default",
                word_wrap=True,
            )
            url = Text(finding.url, style="dim")
            table.add_row(str(number), Group(first, Text(finding.message), code, url))
        yield table
    if diagnosis.skipped:
        yield Text(_skipped(diagnosis), style="dim")


def diagnosis_html(diagnosis):
    """A diagnosis as HTML that takes its colours from the page around it."""
    headline, *sentences = _opening(diagnosis)
    worst = [f.severity for f in diagnosis.findings]
    color = next((COLORS[s] for s in COLORS if s in worst), FINE)
    parts = [f"<p style='margin:0 0 .6em'>{_chip(headline, color)}</p>"]
    parts += [f"<p style='margin:0 0 .6em'>{html.escape(s)}</p>" for s in sentences]
    pictures = "".join(draw(diagnosis.outputs, diagnosis.dead_shares))
    if pictures:
        parts.append(
            "<div style='display:flex;flex-wrap:wrap;gap:16px;margin:0 0 .8em'>"
            f"{pictures}</div>"
        )
    parts += [
        _finding_html(number, finding)
        for number, finding in enumerate(diagnosis.findings, 1)
    ]
    if diagnosis.skipped:
        parts.append(f"<p style='opacity:.7'>{html.escape(_skipped(diagnosis))}</p>")
    return (
        "<div style='font:14px/1.45 system-ui,sans-serif;max-width:820px'>"
        f"{''.join(parts)}</div>"
    )


def explanations(findings):
    """Which of the findings explain others.

    Args:
        findings: List of `Finding`.

    Returns:
        List of strings, a sentence for each set of causes. What is an error explains;
        where there are only warnings, they may.
    """
    symptoms_of: dict[tuple, list] = {}
    for symptom in findings:
        causes = [cause for cause in findings if _can_cause(cause, symptom)]
        errors = [cause for cause in causes if cause.severity == "error"]
        if causes:
            names = tuple(_title(cause) for cause in errors or causes)
            symptoms_of.setdefault((names, bool(errors)), []).append(_title(symptom))
    sentences = []
    for (causes, is_sure), symptoms in symptoms_of.items():
        verb = ("explains" if len(causes) == 1 else "explain") if is_sure else None
        sentences.append(
            f"{_joined(causes)} {verb or 'may explain'} {_joined(symptoms)}."
        )
    return sentences


def _can_cause(cause, symptom):
    same = cause.output == symptom.output or None in (cause.output, symptom.output)
    counts = "note" not in (cause.severity, symptom.severity)
    return same and counts and symptom.code in symptoms_of(cause.code)


def _opening(diagnosis):
    """The first line, and what explains what."""
    tasks = ", ".join(
        task if len(diagnosis.tasks) == 1 else f"{name}: {task}"
        for name, task in diagnosis.tasks.items()
    )
    model = f" of a model for {tasks}" if tasks else ""
    counts = Counter(finding.severity for finding in diagnosis.findings)
    found = [
        f"{counts[severity]} {severity}{'s' if counts[severity] > 1 else ''}"
        for severity in COLORS
        if counts[severity]
    ]
    first = f"Diagnosis{model}: {', '.join(found) or 'nothing found'}."
    return [first, *explanations(diagnosis.findings)]


def _skipped(diagnosis):
    reasons = "; ".join(f"{code} ({why})" for code, why in diagnosis.skipped.items())
    return f"Not checked: {reasons}."


def _where(finding):
    return f" (output '{finding.output}')" if finding.output else ""


def _title(finding):
    return f"{finding.code} {finding.name}{_where(finding)}"


def _joined(names):
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _wrapped(text, width):
    """Lines of a text; those that it has itself stay apart."""
    return [
        part
        for line in text.splitlines()
        for part in textwrap.wrap(
            line, width, break_long_words=False, break_on_hyphens=False
        )
        or [""]
    ]


def _chip(text, color):
    return (
        f"<span style='background:{color};color:#fff;border-radius:4px;"
        f"padding:1px 7px'>{html.escape(text)}</span>"
    )


def _finding_html(number, finding):
    color = COLORS[finding.severity]
    url = html.escape(finding.url)
    is_open = " open=''" if number == 1 else ""
    return (
        f"<div style='border-left:4px solid {color};padding:2px 0 2px 12px;"
        "margin:0 0 .8em'>"
        f"<div><b>{number}. {html.escape(finding.name)}</b> "
        f"{_chip(finding.severity, color)} "
        f"<a href='{url}' target='_blank' style='color:inherit'>{finding.code}</a>"
        f"{html.escape(_where(finding))}</div>"
        f"<div>{html.escape(finding.message)}</div>"
        f"<details{is_open}>"
        "<summary style='cursor:pointer'>Fix</summary>"
        "<pre style='margin:.3em 0;padding:8px;border-radius:4px;overflow-x:auto;"
        "background:rgba(128,128,128,.14);color:inherit'>"
        f"{html.escape(finding.fix)}</pre></details></div>"
    )
