"""A diagnosis as HTML that requests nothing, for notebooks and for a page of its own.

It takes its colors from the page around it.
"""

from collections.abc import Sequence
from html import escape

from keras_trainfix.diagnosis.findings import (
    IS_PUBLISHED,
    SEVERITIES,
    Diagnosis,
    Finding,
    provides,
)
from keras_trainfix.diagnosis.report.confusion_table import draw_confusion
from keras_trainfix.diagnosis.report.layer_picture import draw_layers
from keras_trainfix.diagnosis.report.mask_picture import draw_masks
from keras_trainfix.diagnosis.report.plots import draw
from keras_trainfix.diagnosis.report.range_picture import draw_rates
from keras_trainfix.diagnosis.report.terms_picture import draw_terms
from keras_trainfix.diagnosis.report.text import (
    cause_of,
    failed_checks,
    more_about,
    not_judged,
    opening,
    proof_sentence,
    where,
)
from keras_trainfix.diagnosis.report.treatment_picture import draw_treatments
from keras_trainfix.diagnosis.report.verdict import is_well, what_is_mended

# White on each has a contrast of 5.9 or more, as WCAG AA asks for (4.5).
COLORS = {"error": "#b3202a", "warning": "#8a5a00", "note": "#1f5fbf"}
FINE = "#1a7436"
STYLE = """<style>
.ktf{font:15px/1.5 system-ui,sans-serif;max-width:860px;color:inherit}
.ktf p{margin:0 0 .7em}
.ktf .ktf-verdict{font-weight:600;font-size:1.1em;color:#fff;border-radius:8px;
padding:10px 14px}
.ktf .ktf-chip{color:#fff;border-radius:4px;padding:1px 7px;font-size:.87em}
.ktf .ktf-finding{border-left:4px solid;padding:2px 0 2px 14px;margin:0 0 1.2em;
break-inside:avoid}
.ktf .ktf-finding div{margin:.15em 0}
.ktf pre{position:relative;margin:.3em 0;padding:10px;border-radius:6px;
overflow-x:auto;background-color:rgba(128,128,128,.14);color:inherit;
font:13px/1.45 ui-monospace,monospace;white-space:pre}
.ktf code{font-family:ui-monospace,monospace}
.ktf summary{cursor:pointer}
.ktf .ktf-figures{display:flex;flex-wrap:wrap;gap:24px;margin:1.2em 0;
align-items:flex-start}
.ktf .ktf-figures svg{max-width:100%;height:auto}
.ktf figure{margin:0;max-width:100%;overflow-x:auto;break-inside:avoid}
.ktf figcaption{font-weight:600;font-size:11px;margin-bottom:6px}
.ktf table{border-collapse:collapse;font-size:12px;width:auto;margin:0}
.ktf td,.ktf th{padding:3px 6px;text-align:center;font-weight:400;border:0;
background:none}
.ktf .ktf-confusion td{min-width:34px}
.ktf .ktf-masks img{display:block;image-rendering:pixelated}
.ktf .ktf-key span{margin-right:10px;font-size:12px}
.ktf .ktf-key i{display:inline-block;width:10px;height:10px;margin-right:4px;
border:1px solid rgba(128,128,128,.6)}
</style>"""


@provides
def diagnosis_html(
    diagnosis: Diagnosis,
    class_names: Sequence[str] | None = None,
    is_open: bool = False,
    story: str = "",
) -> str:
    """A diagnosis as HTML.

    Args:
        diagnosis: `Diagnosis`.
        class_names: List of strings, one for each class, or None.
        is_open: Whether the code of all findings is shown, not that of the first alone.
        story: String, HTML that stands before the findings.
    """
    color, unjudged = color_of(diagnosis), not_judged(diagnosis)
    parts = []
    for sentence in opening(diagnosis):
        if sentence == diagnosis.verdict:
            parts.append(
                f"<p class='ktf-verdict' style='background:{color}'>"
                f"{escape(sentence)}</p>"
            )
        elif sentence in unjudged:
            parts.append(f"<p><b>{escape(sentence)}</b></p>")
        else:
            parts.append(f"<p>{escape(sentence)}</p>")
    parts.append(story)
    parts += [
        _finding(number, finding, cause_of(diagnosis, number), is_open or number == 1)
        for number, finding in enumerate(diagnosis.findings, 1)
    ]
    if what_is_mended(diagnosis):
        offer, _, rest = what_is_mended(diagnosis).partition(": ")
        code, _, left = rest.partition("; ")
        end = f"; {escape(left)}" if left else ""
        parts.append(f"<p><b>{escape(offer)}</b>: <code>{escape(code)}</code>{end}</p>")
    pictures = "".join(_pictures(diagnosis, class_names))
    if pictures:
        parts.append(f"<div class='ktf-figures'>{pictures}</div>")
    failed = failed_checks(diagnosis)
    if failed:
        parts.append(f"<p>{escape(failed)}</p>")
    return f"<div class='ktf'>{STYLE}{''.join(parts)}</div>"


def color_of(diagnosis: Diagnosis) -> str:
    """The color of the worst that a diagnosis says."""
    severities = {finding.severity for finding in diagnosis.findings}
    if diagnosis.ok and not is_well(diagnosis):
        return COLORS["warning"]
    return next((COLORS[s] for s in SEVERITIES if s in severities), FINE)


def _pictures(diagnosis: Diagnosis, class_names: Sequence[str] | None) -> list[str]:
    figures = diagnosis.figures
    names = [output.name for output in diagnosis.outputs]

    def of(name: str) -> str:
        return f" of '{name}'" if len(names) > 1 else ""

    pictures = draw(diagnosis.outputs, diagnosis.dead_shares, class_names)
    if figures is not None:
        pictures += [draw_masks(m, of(m.name), class_names) for m in figures.masks]
        pictures += [
            draw_confusion(c, of(c.name), class_names) for c in figures.confusions
        ]
    pictures.append(draw_treatments(diagnosis.curves))
    if figures is not None:
        pictures.append(draw_rates(figures.rates) if figures.rates else "")
        pictures.append(draw_terms(figures.terms))
    pictures.append(draw_layers(diagnosis.layers))
    return pictures


def _finding(number: int, finding: Finding, see: str, is_open: bool) -> str:
    color = COLORS[finding.severity]
    code = finding.code
    if IS_PUBLISHED:
        link = f"<a href='{escape(finding.url)}' target='_blank'>{code}</a>"
    else:
        link = f"<span title='{escape(more_about(finding))}'>{code}</span>"
    proof = ""
    if finding.proof is not None:
        proof = f"<div><b>{escape(proof_sentence(finding.proof))}</b></div>"
    return (
        f"<div class='ktf-finding' style='border-color:{color}'>"
        f"<div><b>{number}. {escape(finding.name)}</b> "
        f"<span class='ktf-chip' style='background-color:{color}'>{finding.severity}"
        f"</span> {link}{escape(where(finding))}</div>"
        f"<div>{escape(finding.message)}</div>{proof}"
        f"{_help(finding, see, is_open)}</div>"
    )


def _help(finding: Finding, see: str, is_open: bool) -> str:
    if see:
        return f"<div>Help: {escape(see)}.</div>"
    if not finding.fix:
        return ""
    is_shown = " open=''" if is_open else ""
    return (
        f"<details{is_shown}><summary>Help</summary>"
        f"<pre>{escape(finding.fix)}</pre></details>"
    )
