"""The report of a training that `CollapseDetector` watched, as one page."""

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from keras_trainfix.callbacks.collapse.layer_heat_map import draw_layer_record
from keras_trainfix.diagnosis.report.html import FINE, STYLE, diagnosis_html
from keras_trainfix.diagnosis.report.page import page, write
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
from keras_trainfix.messages import count, skill_in_words

LOWEST, HIGHEST = -1.0, 1.5  # of the axis of skill and spread
WIDE = 100  # times the smallest loss, from which the axis is logarithmic
WRONG = "#d1242f"


def save_training(
    detector: Any, file: Any, class_names: Sequence[str] | None = None
) -> Path:
    """Writes the report of a training; see `CollapseDetector.save`."""
    diagnosis = detector.diagnosis
    happened = [f"<li>{escape(str(rescue))}</li>" for rescue in detector.rescues]
    if len(detector.alarms) > len(detector.rescues):
        word = "The rescue gave up" if detector.rescues else "A collapse was reported"
        happened.append(f"<li>{word} at step {detector.alarms[-1]}.</li>")
    story = f"<ul>{''.join(happened)}</ul>" if happened else ""
    pictures = draw_skill(detector) + draw_loss(detector)
    pictures += draw_layer_record(detector.layers)
    story += f"<div class='ktf-figures'>{pictures}</div>" if pictures else ""
    if diagnosis is None:
        body = (
            f"<div class='ktf'>{STYLE}<p class='ktf-verdict' style='background:{FINE}'>"
            f"{escape(healthy_words(detector))}</p>{story}</div>"
        )
    else:
        body = diagnosis_html(diagnosis, class_names, is_open=True, story=story)
    return write(file, page("A training under watch", body))


def healthy_words(detector: Any) -> str:
    """What to say of a training in which nothing was found."""
    steps, skills = detector.history["step"], detector.history["skill"]
    if not steps:
        return "No check was made yet."
    reached = ""
    if math.isfinite(skills[-1]):
        reached = f" Skill {skill_in_words(skills[-1])}"
        reached += f" after {count(steps[-1], 'step')}."
    return f"No collapse was seen in {count(len(steps), 'check')}.{reached}"


def draw_skill(detector: Any) -> str:
    """Skill and spread by step; what is beyond the axis has an arrow and its value.

    Args:
        detector: `CollapseDetector`.

    Returns:
        String, an SVG; `""` before the first check.
    """
    steps = np.array(detector.history["step"], float)
    if not len(steps):
        return ""
    last = float(max(steps[-1], 1))
    parts = [axes(), *_zone()]
    for key, color in (("std_ratio", BEST), ("skill", PREDICTION)):
        values = np.array(detector.history[key], float)
        parts += _line(steps, values, color, last)
    parts += _alarms(detector, last)
    zero = float(up(np.array(0.0), LOWEST, HIGHEST))
    parts += [
        text(LEFT - 6, float(up(np.array(1.0), LOWEST, HIGHEST)) + 4, "1", "end"),
        text(LEFT - 6, zero + 4, "0", "end"),
        text(LEFT - 6, HEIGHT - BOTTOM, "-1", "end"),
        text(LEFT, HEIGHT - 20, "0"),
        text(WIDTH - RIGHT, HEIGHT - 20, f"{last:.0f}", "end"),
        text((LEFT + WIDTH) / 2, HEIGHT - 6, "step", "middle"),
        legend([(PREDICTION, "skill"), (BEST, "spread"), (WRONG, "collapse")]),
    ]
    return svg("Skill, and spread relative to targets", parts)


def draw_loss(detector: Any) -> str:
    """The loss of each epoch by step.

    Args:
        detector: `CollapseDetector`.

    Returns:
        String, an SVG; `""` for fewer than two epochs.
    """
    losses = detector.losses
    steps = np.array([one.step for one in losses], float)
    own = np.array([one.loss for one in losses], float)
    other = np.array([one.validation for one in losses], float)
    values = np.concatenate([own, other])
    values = values[np.isfinite(values)]
    if len(losses) < 2 or not len(values):
        return ""
    is_log = values.min() > 0 and values.max() > WIDE * values.min()
    scaled = np.log10 if is_log else np.asarray
    low, high, last = float(values.min()), float(values.max()), float(steps[-1])
    parts = [axes()]
    for series, color in ((own, PREDICTION), (other, BEST)):
        known = np.isfinite(series)
        if known.any():
            xs, ys = (
                across(steps[known], 0, last),
                up(scaled(series[known]), float(scaled(low)), float(scaled(high))),
            )
            parts.append(
                f'<path d="{path(xs, ys)}" stroke="{color}" stroke-width="2" '
                'fill="none"/>'
            )
    parts += _alarms(detector, last)
    parts += [
        text(LEFT - 6, TOP + 8, short(high), "end"),
        text(LEFT - 6, HEIGHT - BOTTOM, short(low), "end"),
        text(LEFT, HEIGHT - 20, "0"),
        text(WIDTH - RIGHT, HEIGHT - 20, f"{last:.0f}", "end"),
        text((LEFT + WIDTH) / 2, HEIGHT - 6, "step", "middle"),
        legend([(PREDICTION, "loss"), (BEST, "validation loss")]),
    ]
    return svg(f"Loss of each epoch{' (log)' if is_log else ''}", parts)


def _zone() -> list[str]:
    """The part of the picture that is no better than a constant."""
    top = float(up(np.array(0.0), LOWEST, HIGHEST))
    return [
        f'<rect x="{LEFT}" y="{top:.1f}" width="{WIDTH - LEFT - RIGHT}" '
        f'height="{HEIGHT - BOTTOM - top:.1f}" fill="{WRONG}" fill-opacity=".08"/>',
        f'<path d="M{LEFT} {top:.1f}H{WIDTH - RIGHT}" stroke="{TARGET}" fill="none"/>',
    ]


def _line(steps: np.ndarray, values: np.ndarray, color: str, last: float) -> list[str]:
    """A line within the axis; an arrow for each value beyond, the furthest written."""
    known = np.isfinite(values)
    steps, values = steps[known], values[known]
    if not len(values):
        return []
    xs = across(steps, 0, last)
    is_inside = (values >= LOWEST) & (values <= HIGHEST)
    ends = np.flatnonzero(np.diff(is_inside)) + 1
    parts = [
        f'<path d="{path(xs[run], up(values[run], LOWEST, HIGHEST))}" stroke="{color}" '
        'stroke-width="2" fill="none"/>'
        for run in np.split(np.arange(len(values)), ends)
        if is_inside[run[0]]
    ]
    for sign, is_beyond in ((-1, values < LOWEST), (1, values > HIGHEST)):
        beyond = np.flatnonzero(is_beyond)
        if not len(beyond):
            continue
        y = HEIGHT - BOTTOM - 3 if sign < 0 else TOP + 9
        arrow = "↓" if sign < 0 else "↑"
        for x in xs[beyond]:
            parts.append(f'<g fill="{color}">{text(x, y, arrow, "middle")}</g>')
        furthest = beyond[np.argmax(sign * values[beyond])]
        anchor = "end" if xs[furthest] > (LEFT + WIDTH) / 2 else "start"
        words = f"to {skill_in_words(values[furthest])}"
        parts.append(text(xs[furthest] + 7, y + 12 * sign, words, anchor))
    return parts


def _alarms(detector: Any, last: float) -> list[str]:
    places = across(np.array(detector.alarms, float), 0, last)
    return [
        f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="{WRONG}" '
        'stroke-dasharray="2 3" fill="none"/>'
        for x in places
    ]
