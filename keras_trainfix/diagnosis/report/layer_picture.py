"""The model from input to output, with what was seen at each layer, as SVG."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from keras_trainfix.diagnosis.findings import LayerSummary
from keras_trainfix.diagnosis.observe.layers import dead_share, is_relu, units_of
from keras_trainfix.diagnosis.observe.variation import ROUNDING
from keras_trainfix.diagnosis.report.plots import PREDICTION, TARGET

MOST_ROWS = 14
EVENLY = 6  # of more layers, with those around the first that breaks
MOST_LAYERS = 400  # that are measured
ROW, TOP, WIDTH = 20, 44, 560
NAME, BAR = 170, 100  # widths
COLUMNS = (180, 310, 440)  # of the samples, the units and the gradient
BROKEN = "#d1242f"
LOST = 0.5  # share of the samples, or of the units, at which a bar is red
DECADES = 8  # of the gradient, from the largest down


def layer_summaries(snapshot: Any) -> tuple[LayerSummary, ...]:
    """What is known of each layer, without another call of the model.

    Args:
        snapshot: `Snapshot`.

    Returns:
        Tuple of `LayerSummary`, from the input on; of a shared layer its last call.
    """
    lost = snapshot.measured.get("different samples behind each layer")
    places = getattr(lost, "places", [])
    different = {place.layer.name: place.share for place in places}
    trial = snapshot.trial
    kernels = [g for g in (trial.gradients if trial else []) if g.is_kernel]
    gradients = {gradient.layer: gradient.size for gradient in kernels}
    summaries: dict[str, LayerSummary] = {}
    for output in snapshot.layers[:MOST_LAYERS]:
        layer, values = output.layer, output.values
        if values.ndim < 2 or values.dtype.kind != "f" or not values.size:
            continue
        dead = dead_share(output) if is_relu(layer) else None
        summaries.pop(layer.name, None)
        summaries[layer.name] = LayerSummary(
            layer.name,
            type(layer).__name__,
            different.get(layer.name),
            _constant_share(layer, values),
            dead,
            gradients.get(layer.name),
        )
    return tuple(summaries.values())


def draw_layers(summaries: Sequence[LayerSummary]) -> str:
    """The layers from the input down, a row each.

    Args:
        summaries: Sequence of `LayerSummary`.

    Returns:
        String, an SVG; `""` for fewer than two layers.
    """
    if len(summaries) < 2:
        return ""
    rows = _rows(summaries)
    sizes = [s.gradient for s in summaries if s.gradient]
    largest = max(sizes, default=0.0)
    heads = ["different samples", "units that vary", "gradient (log)"]
    if not sizes:
        heads.pop()
    parts = [
        _text(x, 36, head, opacity=0.7) for x, head in zip(COLUMNS, heads, strict=False)
    ]
    broken = next((s for s in summaries if _is_broken(s)), None)
    for place, row in enumerate(rows):
        y = TOP + ROW * place
        if isinstance(row, int):
            parts.append(_text(NAME, y + 11, f"… {row} more", "end", opacity=0.6))
            continue
        parts += _row(row, y, row is broken, largest)
    height = TOP + ROW * len(rows) + 4
    title = "The layers, from the input to the output"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" fill="currentColor" '
        'font-family="system-ui,sans-serif" font-size="11">'
        f"<title>{title}</title>"
        f"{_text(0, 14, title, weight='bold')}{''.join(parts)}</svg>"
    )


def _row(one, y, is_first_broken, largest):
    """The parts of one row: the name, and a bar for each thing that is known."""
    color = BROKEN if is_first_broken else "currentColor"
    weight = "bold" if is_first_broken else "normal"
    name = one.name if len(one.name) <= 25 else f"{one.name[:24]}…"
    parts = [_text(NAME, y + 11, name, "end", weight, color=color)]
    if one.different is not None:
        parts += _bar(COLUMNS[0], y, one.different, one.different < LOST)
    if one.constant is not None:
        lost = max(one.constant, one.dead or 0.0)
        parts += _bar(COLUMNS[1], y, 1 - lost, lost > LOST)
    if one.gradient is not None and largest:
        ratio = one.gradient / largest
        share = 1 + np.log10(ratio) / DECADES if ratio > 0 else 0.0
        share = float(np.clip(share, 0, 1))
        text = f"{one.gradient:.1e}" if one.gradient else "0"
        parts += _bar(COLUMNS[2], y, share, share == 0, text)
    return parts


def _bar(x, y, share, is_bad, text=None):
    label = text or (f"{share:.0%}" if share >= 0.01 or not share else "<1%")
    color, back = (BROKEN, BROKEN) if is_bad else (PREDICTION, TARGET)
    box = f'x="{x}" y="{y + 2}" height="10" rx="2"'
    return [
        f'<rect {box} width="{BAR - 40}" fill="{back}" fill-opacity=".2"/>',
        f'<rect {box} width="{(BAR - 40) * share:.1f}" fill="{color}"/>',
        _text(x + BAR - 34, y + 11, label),
    ]


def _is_broken(one):
    """Whether less than half of the samples, or of the units, is left."""
    if one.different is not None and one.different < LOST:
        return True
    return bool(one.constant is not None and max(one.constant, one.dead or 0) > LOST)


def _rows(summaries):
    """The layers that are drawn, and the number of those that are left out."""
    if len(summaries) <= MOST_ROWS:
        return list(summaries)
    last = len(summaries) - 1
    chosen = {round(i * last / (EVENLY - 1)) for i in range(EVENLY)}
    broken = [i for i, one in enumerate(summaries) if _is_broken(one)]
    for index in broken[:1]:
        chosen |= {max(0, index - 1), index, min(last, index + 1)}
    chosen |= {i + 1 for i in chosen if i + 2 in chosen}  # no gap of a single layer
    rows: list[Any] = []
    previous = -1
    for index in sorted(chosen):
        if index - previous > 1:
            rows.append(index - previous - 1)
        rows.append(summaries[index])
        previous = index
    return rows


def _constant_share(layer, values):
    """The share of units that give one number for all samples and places."""
    units = units_of(layer, values)
    spread = np.ptp(units, axis=0)
    largest = np.abs(units).max(initial=0)
    return float((spread <= ROUNDING * largest).mean())


def _text(x, y, text, anchor="start", weight="normal", color="currentColor", opacity=1):
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{color}" fill-opacity="{opacity}">{escape(text)}</text>'
    )
