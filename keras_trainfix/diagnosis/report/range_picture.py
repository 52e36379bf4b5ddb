"""The loss that the trial reached at each learning rate, as SVG."""

import math

import numpy as np

from keras_trainfix.diagnosis.findings import RateCurve
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
    short,
    svg,
    text,
    up,
)

HIGHEST = 2.0  # times the loss without a step; what is beyond has an arrow


def draw_rates(curve: RateCurve) -> str:
    """Loss over learning rate; a loss beyond the axis has an arrow and its value.

    Args:
        curve: `RateCurve`.

    Returns:
        String, an SVG; `""` where nothing is finite.
    """
    rates, losses = np.log10(np.array(curve.rates)), np.array(curve.losses)
    known = losses[np.isfinite(losses)]
    if not len(known) or not math.isfinite(curve.start):
        return ""
    top = curve.start + (HIGHEST - 1) * abs(curve.start)
    low = min(float(known.min()), curve.start)
    is_beyond = ~(losses <= top)
    heights = up(np.where(is_beyond, top, losses), low, top)
    xs = across(rates, float(rates[0]), float(rates[-1]))
    level = float(up(np.array(curve.start), low, top))
    mark = float(across(np.log10(np.array(curve.compiled)), rates[0], rates[-1]))
    inside = ~is_beyond
    parts = [
        axes(),
        f'<path d="M{LEFT} {level:.1f}H{WIDTH - RIGHT}" stroke="{TARGET}" '
        'stroke-dasharray="4 4" fill="none"/>',
        f'<path d="M{mark:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="{BEST}" '
        'stroke-width="2" fill="none"/>',
    ]
    if inside.any():
        parts.append(
            f'<path d="{path(xs[inside], heights[inside])}" stroke="{PREDICTION}" '
            'stroke-width="2" fill="none"/>'
        )
    for x, y, loss, beyond in zip(xs, heights, losses, is_beyond, strict=True):
        if beyond:
            value = short(loss) if math.isfinite(loss) else "NaN"
            parts.append(text(x, TOP + 10, f"↑ {value}", _anchor(x)))
        else:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="#2f81f7"/>')
    parts += [
        text(LEFT, HEIGHT - 20, short(curve.rates[0])),
        text(WIDTH - RIGHT, HEIGHT - 20, short(curve.rates[-1]), "end"),
        text((LEFT + WIDTH) / 2, HEIGHT - 6, "learning rate (log)", "middle"),
        text(LEFT - 6, HEIGHT - BOTTOM, short(low), "end"),
        text(LEFT - 6, TOP + 8, short(top), "end"),
        legend(
            [
                (PREDICTION, "loss"),
                (BEST, f"compiled {short(curve.compiled)}"),
                (TARGET, "at the start"),
            ]
        ),
    ]
    return svg(f"Loss after {curve.steps} steps at each learning rate", parts)


def _anchor(x: float) -> str:
    if x < LEFT + 30:
        return "start"
    return "end" if x > WIDTH - RIGHT - 30 else "middle"
