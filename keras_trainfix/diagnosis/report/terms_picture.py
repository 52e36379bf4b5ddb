"""How hard each term of the loss pulls, as SVG."""

from collections.abc import Sequence

from keras_trainfix.diagnosis.report.plots import (
    PREDICTION,
    TARGET,
    WIDTH,
    short,
    svg,
    text,
)

ROW, TOP = 34, 28


def draw_terms(terms: Sequence[tuple[str, float]]) -> str:
    """A bar for each term, as its share of all.

    Args:
        terms: Sequence of the name of each term and the size of its gradient.

    Returns:
        String, an SVG; `""` for fewer than two terms.
    """
    total = sum(pull for _, pull in terms)
    if len(terms) < 2 or not 0 < total < float("inf"):
        return ""
    parts, full = [], WIDTH - 100
    for place, (name, pull) in enumerate(terms):
        y, share = TOP + ROW * place, pull / total
        bar = f'x="0" y="{y + 5}" height="10" rx="2"'
        parts += [
            text(0, y, name if len(name) <= 48 else f"{name[:47]}…"),
            f'<rect {bar} width="{full}" fill="{TARGET}" fill-opacity=".25"/>',
            f'<rect {bar} width="{full * share:.1f}" fill="{PREDICTION}"/>',
            text(full + 6, y + 14, f"{share:.0%} ({short(pull)})"),
        ]
    title = "Gradient of each term of the loss"
    return svg(title, parts, height=TOP + ROW * len(terms))
