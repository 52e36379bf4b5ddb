"""How far each layer moves between looks, as a heat map in SVG."""

import math
from html import escape

from keras_trainfix.callbacks.collapse.layer_record import LayerRecord

WIDTH, LEFT, ROW, TOP = 560, 170, 18, 50
MOST_COLUMNS = 60
LOWEST = -6.0  # power of ten of a change that is drawn as none
LARGE = 1.0  # change with which a layer has become another one
COLOR, WRONG, NOTHING = "#2f81f7", "#d1242f", "#8b949e"


def draw_layer_record(record: LayerRecord) -> str:
    """A row for each layer from the input on, a column for each look.

    Args:
        record: `LayerRecord`.

    Returns:
        String, an SVG; `""` before the second look.
    """
    steps, names = record.steps, list(record.changes)
    if not steps or not names:
        return ""
    shown = _evenly(len(steps))
    cell = (WIDTH - LEFT - 10) / len(shown)
    title = "Change of each layer between looks, relative to its weights"
    parts = [
        _text(0, 14, title, "start", "bold"),
        *_key(),
    ]
    for place, name in enumerate(names):
        y = TOP + ROW * place
        short = name if len(name) <= 26 else f"{name[:25]}…"
        parts.append(_text(LEFT - 8, y + 12, short, "end"))
        for column, index in enumerate(shown):
            parts.append(
                _cell(
                    LEFT + column * cell,
                    y,
                    cell,
                    record.changes[name][index],
                    steps[index],
                )
            )
    bottom = TOP + ROW * len(names)
    parts += [
        _text(LEFT, bottom + 14, f"step {steps[shown[0]]}", "start"),
        _text(WIDTH - 10, bottom + 14, str(steps[shown[-1]]), "end"),
    ]
    height = bottom + 22
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" fill="currentColor" '
        'font-family="system-ui,sans-serif" font-size="11">'
        f"<title>{title}</title>{''.join(parts)}</svg>"
    )


def _evenly(number: int) -> list[int]:
    if number <= MOST_COLUMNS:
        return list(range(number))
    last = number - 1
    return sorted({round(i * last / (MOST_COLUMNS - 1)) for i in range(MOST_COLUMNS)})


def _cell(x: float, y: float, width: float, change: float, step: int) -> str:
    color, opacity, words = COLOR, 0.12, "no change"
    if math.isnan(change):
        color, opacity, words = WRONG, 1.0, "not finite"
    elif change > LARGE:
        color, opacity, words = WRONG, 0.85, f"{change:.3g}"
    elif change > 10**LOWEST:
        opacity = 0.2 + 0.8 * (1 - math.log10(change) / LOWEST)
        words = f"{change:.2g}"
    else:
        color = NOTHING
    return (
        f'<rect x="{x:.1f}" y="{y}" width="{max(1.0, width - 1):.1f}" '
        f'height="{ROW - 2}" fill="{color}" fill-opacity="{opacity:.2f}">'
        f"<title>step {step}: {escape(words)}</title></rect>"
    )


def _key() -> list[str]:
    entries = (
        (NOTHING, 0.12, "none"),
        (COLOR, 0.33, "1e-5"),
        (COLOR, 0.73, "0.01"),
        (COLOR, 1.0, "1"),
        (WRONG, 0.85, "more than itself, or not finite"),
    )
    parts, x = [], LEFT
    for color, opacity, words in entries:
        parts += [
            f'<rect x="{x}" y="27" width="10" height="10" fill="{color}" '
            f'fill-opacity="{opacity}"/>',
            _text(x + 14, 36, words, "start"),
        ]
        x += 30 + int(6 * len(words))
    return parts


def _text(x: float, y: float, words: str, anchor: str, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(words)}</text>"
    )
