"""A diagnosis as HTML, with pictures, that takes its colors from the page around it."""

from html import escape

from keras_trainfix.diagnosis.findings import SEVERITIES, Diagnosis, Finding, provides
from keras_trainfix.diagnosis.report.layer_picture import draw_layers
from keras_trainfix.diagnosis.report.plots import draw
from keras_trainfix.diagnosis.report.text import (
    failed_checks,
    not_judged,
    opening,
    proof_sentence,
    where,
)
from keras_trainfix.diagnosis.report.treatment_picture import draw_treatments

COLORS = {"error": "#b3202a", "warning": "#8a5a00", "note": "#1f5fbf"}
FINE = "#1a7436"


@provides
def diagnosis_html(diagnosis: Diagnosis) -> str:
    """A diagnosis as HTML, which requests nothing from any site."""
    severities = {finding.severity for finding in diagnosis.findings}
    color = next((COLORS[s] for s in SEVERITIES if s in severities), FINE)
    if not severities and diagnosis.skipped:
        color = COLORS["warning"]
    unjudged = not_judged(diagnosis)
    parts = [
        _paragraph(f"<b>{escape(s)}</b>" if s in unjudged else escape(s))
        if s != diagnosis.verdict
        else _paragraph(f"<b>{_chip(s, color)}</b>")
        for s in opening(diagnosis)
    ]
    pictures = "".join(
        [
            *draw(diagnosis.outputs, diagnosis.dead_shares),
            draw_treatments(diagnosis.curves),
            draw_layers(diagnosis.layers),
        ]
    )
    if pictures:
        parts.append(
            "<div style='display:flex;flex-wrap:wrap;gap:16px;margin:0 0 .8em'>"
            f"{pictures}</div>"
        )
    parts += [
        _finding_html(number, finding)
        for number, finding in enumerate(diagnosis.findings, 1)
    ]
    failed = failed_checks(diagnosis)
    if failed:
        parts.append(f"<p style='opacity:.7'>{escape(failed)}</p>")
    return (
        "<div style='font:14px/1.45 system-ui,sans-serif;max-width:820px'>"
        f"{''.join(parts)}</div>"
    )


def _paragraph(content: str) -> str:
    return f"<p style='margin:0 0 .6em'>{content}</p>"


def _chip(text: str, color: str) -> str:
    return (
        f"<span style='background:{color};color:#fff;border-radius:4px;"
        f"padding:1px 7px'>{escape(text)}</span>"
    )


def _finding_html(number: int, finding: Finding) -> str:
    color = COLORS[finding.severity]
    url = escape(finding.url)
    is_open = " open=''" if number == 1 else ""
    return (
        f"<div style='border-left:4px solid {color};padding:2px 0 2px 12px;"
        "margin:0 0 .8em'>"
        f"<div><b>{number}. {escape(finding.name)}</b> "
        f"{_chip(finding.severity, color)} "
        f"<a href='{url}' target='_blank' style='color:inherit'>{finding.code}</a>"
        f"{escape(where(finding))}</div>"
        f"<div>{escape(finding.message)}</div>"
        f"{_proof_html(finding)}"
        f"<details{is_open}>"
        "<summary style='cursor:pointer'>Fix</summary>"
        "<pre style='margin:.3em 0;padding:8px;border-radius:4px;overflow-x:auto;"
        "background:rgba(128,128,128,.14);color:inherit'>"
        f"{escape(finding.fix)}</pre></details></div>"
    )


def _proof_html(finding: Finding) -> str:
    if finding.proof is None:
        return ""
    color = FINE if finding.proof.holds else "inherit"
    return f"<div style='color:{color}'>{escape(proof_sentence(finding.proof))}</div>"
