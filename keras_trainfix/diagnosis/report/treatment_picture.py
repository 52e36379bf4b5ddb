"""A picture of the experiments: skill by step, with each treatment and without."""

from collections.abc import Sequence

import numpy as np

from keras_trainfix.diagnosis.findings import SkillCurve
from keras_trainfix.diagnosis.report.plots import (
    BEST,
    BOTTOM,
    HEIGHT,
    LEFT,
    PREDICTION,
    RIGHT,
    TARGET,
    TOP,
    WIDTH,
    across,
    axes,
    legend,
    path,
    svg,
    text,
    up,
)

LOWEST = -0.2  # of the scale: a worse skill is drawn there, with an arrow


def draw_treatments(curves: Sequence[SkillCurve]) -> str:
    """The skill of each run of an experiment by step, as SVG.

    Args:
        curves: `SkillCurve` of each control and treatment.

    Returns:
        String; empty without a treatment.

    Examples:
        >>> control = SkillCurve("as it is", (0, 64, 128), (0.0, 0.01, 0.02), True)
        >>> draw_treatments([control])
        ''
    """
    if all(curve.is_control for curve in curves):
        return ""
    last = max(curve.steps[-1] for curve in curves)
    best = max((c for c in curves if not c.is_control), key=lambda c: c.skills[-1])
    parts = [axes()]
    for curve in curves:
        color = TARGET if curve.is_control else PREDICTION
        parts.append(_line(curve, last, color, is_bold=curve is best))
    zero = float(up(np.array(0.0), LOWEST, 1))
    parts += [
        f'<path d="M{LEFT} {zero:.1f}H{WIDTH - RIGHT}" stroke="{BEST}" fill="none"/>',
        text(LEFT - 6, TOP + 8, "1", "end"),
        text(LEFT - 6, zero + 4, "0", "end"),
        text(LEFT, HEIGHT - 20, "0"),
        text(WIDTH - RIGHT, HEIGHT - 20, str(last), "end"),
        text((LEFT + WIDTH) / 2, HEIGHT - 6, "step", "middle"),
        legend([(PREDICTION, "with"), (TARGET, "without"), (BEST, "constant answer")]),
    ]
    return svg(f"Skill with {_shortened(best.words)}", parts)


def _line(curve: SkillCurve, last: int, color: str, is_bold: bool) -> str:
    skills = np.array(curve.skills, float)
    known = np.isfinite(skills)
    if not known.any():
        return ""
    steps = np.array(curve.steps, float)[known]
    heights = up(np.clip(skills[known], LOWEST, 1), LOWEST, 1)
    xs = across(steps, 0, last)
    style = 'stroke-width="3"' if is_bold else 'stroke-opacity=".6"'
    line = f'<path d="{path(xs, heights)}" stroke="{color}" {style} fill="none"/>'
    if skills[known][-1] < LOWEST:
        line += text(xs[-1] - 4, HEIGHT - BOTTOM - 3, "↓", "end")
    return line


def _shortened(words: str, most: int = 34) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"
