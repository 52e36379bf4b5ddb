"""Small pictures of a diagnosis, as SVG that takes its text color from the page."""

import html
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_trainfix.diagnosis.findings import OutputSummary
from keras_trainfix.diagnosis.measure.eval_pairs import read
from keras_trainfix.diagnosis.measure.skill import best_constant
from keras_trainfix.diagnosis.observe.layer_outputs import LayerOutput
from keras_trainfix.diagnosis.observe.layers import dead_share, is_relu

MOST_POINTS = 256
MOST_CLASSES = 10  # in a picture
MOST_LAYERS = 10
WIDTH, HEIGHT = 280, 240
LEFT, RIGHT, TOP, BOTTOM = 50, 12, 44, 36  # margins
TARGET, PREDICTION, BEST = "#8b949e", "#2f81f7", "#e3781b"


def output_summary(view: Any) -> OutputSummary | None:
    """The `OutputSummary` of a `OutputView`, or None where nothing can be compared."""
    try:
        answers = read(view)
    except Exception:  # a picture less must not hide what was found
        answers = None
    if answers is None:
        return None
    kind, predictions, targets = answers
    best = best_constant(answers)
    if kind == "regression":
        column = int(targets.std(0).argmax())
        last = len(targets) - 1
        rows = np.linspace(0, last, min(len(targets), MOST_POINTS)).astype(int)
        predicted, target = predictions[rows, column], targets[rows, column]
        mean = float(best.answer[column])
        return OutputSummary(view.name, kind, predicted, target, mean)
    if kind == "classes":
        classes = np.eye(targets.shape[1])
        predicted, target = (
            classes[a.argmax(1)].mean(0) for a in (predictions, targets)
        )
    else:
        predicted, target = (predictions > 0.5).mean(0), (targets > 0.5).mean(0)
    return OutputSummary(view.name, "classes", predicted, target, int(target.argmax()))


def dead_shares(layers: Sequence[LayerOutput]) -> dict[str, float]:
    """The share of dead units of each ReLU layer.

    Args:
        layers: List of `LayerOutput`, in the order of the calls.

    Returns:
        Dict of the name of each layer to the share of its units that are 0 for every
        sample; if a layer is shared, in its last call.
    """
    return {
        output.layer.name: dead_share(output)
        for output in layers
        if is_relu(output.layer) and output.values.ndim > 1
    }


def draw(
    outputs: Iterable[OutputSummary],
    shares: dict[str, float],
    class_names: Sequence[str] | None = None,
) -> list[str]:
    """The pictures of a diagnosis.

    Args:
        outputs: Iterable of `OutputSummary`.
        shares: Dict of the names of layers to shares of dead units.
        class_names: List of strings, one for each class, or None for their numbers.

    Returns:
        List of strings, an SVG each.
    """
    outputs = list(outputs)
    pictures = []
    for output in outputs:
        of = f" of '{output.name}'" if len(outputs) > 1 else ""
        if output.kind == "regression":
            pictures.append(_scatter(output, of))
        else:
            pictures.append(_class_bars(output, of, class_names))
    if any(shares.values()):
        pictures.append(_dead_units(shares))
    return [picture for picture in pictures if picture]


def _scatter(output, of):
    """Predictions over targets, with the diagonal and the best constant."""
    y, t = output.predictions, output.targets
    both = np.isfinite(y) & np.isfinite(t)
    y, t = y[both], t[both]
    if not len(y):
        return None
    low, high = float(min(y.min(), t.min())), float(max(y.max(), t.max()))
    xs, ys = across(t, t.min(), t.max()), up(y, low, high)
    ends = np.array([t.min(), t.max()])
    diagonal = path(across(ends, *ends), up(ends, low, high))
    level = up(np.array([output.constant] * 2), low, high)
    line = path(np.array([LEFT, WIDTH - RIGHT]), level)
    dots = "".join(f"M{a:.0f} {b:.0f}h.1" for a, b in zip(xs, ys, strict=True))
    parts = [
        f'<path d="{diagonal}" stroke="{TARGET}" stroke-dasharray="4 4" fill="none"/>',
        f'<path d="{line}" stroke="{BEST}" stroke-width="2" fill="none"/>',
        f'<path d="{dots}" stroke="{PREDICTION}" stroke-width="5" '
        'stroke-linecap="round" stroke-opacity=".6" fill="none"/>',
        axes(),
        text(LEFT, HEIGHT - 20, short(t.min())),
        text(WIDTH - RIGHT, HEIGHT - 20, short(t.max()), "end"),
        text((LEFT + WIDTH) / 2, HEIGHT - 6, "target", "middle"),
        f'<g transform="translate(10 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)">'
        f"{text(0, 0, 'prediction', 'middle')}</g>",
        text(LEFT - 6, HEIGHT - BOTTOM, short(low), "end"),
        text(LEFT - 6, TOP + 8, short(high), "end"),
        legend(
            [
                (PREDICTION, "predicted"),
                (BEST, f"constant {short(output.constant)}"),
                (TARGET, "exact"),
            ]
        ),
    ]
    return svg(f"Predictions{of} over targets", parts)


def _class_bars(output, of, class_names=None):
    """The share of each class in the targets and in the predictions."""
    shares = np.stack([output.targets, output.predictions])
    if not np.isfinite(shares).all():
        return None
    classes = np.arange(shares.shape[1])
    if len(classes) > MOST_CLASSES:
        order = np.argsort(-shares.max(0), kind="stable")
        classes = np.sort(order[:MOST_CLASSES])
    left_out = shares.shape[1] - len(classes)
    top = max(float(shares.max()), 1e-9)
    step = (WIDTH - LEFT - RIGHT) / len(classes)
    bar = min(28, 0.38 * step)
    parts = []
    for place, label in enumerate(classes):
        middle = LEFT + (place + 0.5) * step
        for share, x, color in (
            (shares[0, label], middle - bar, TARGET),
            (shares[1, label], middle, PREDICTION),
        ):
            y = float(up(np.array(share), 0, top))
            height = HEIGHT - BOTTOM - y
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{bar:.1f}" '
                f'height="{height:.1f}" fill="{color}"/>'
            )
        known = class_names is not None and label < len(class_names)
        name = str(class_names[label]) if known else str(label)
        room = max(1, int(step / 6))
        name = name if len(name) <= room else f"{name[: room - 1]}…"
        parts.append(text(middle, HEIGHT - 20, name, "middle"))
    more = f" (and {left_out} more)" if left_out else ""
    parts += [
        axes(),
        text(LEFT - 6, HEIGHT - BOTTOM, "0", "end"),
        text(LEFT - 6, TOP + 8, f"{top:.0%}", "end"),
        text((LEFT + WIDTH) / 2, HEIGHT - 6, f"class{more}", "middle"),
        legend([(TARGET, "labels"), (PREDICTION, "predicted")]),
    ]
    return svg(f"Shares of the classes{of}", parts)


def _dead_units(shares):
    """One bar for each layer."""
    names = list(shares)
    if len(names) > MOST_LAYERS:
        worst = sorted(names, key=lambda name: -shares[name])[:MOST_LAYERS]
        names = [name for name in names if name in worst]
    left, right = 110, 46
    parts = []
    for place, name in enumerate(names):
        y = 28 + 19 * place
        full = WIDTH - left - right
        short = name if len(name) <= 16 else f"{name[:15]}…"
        bar = f'x="{left}" y="{y:.1f}" height="12"'
        parts += [
            text(left - 6, y + 10, short, "end"),
            f'<rect {bar} width="{full}" fill="{TARGET}" fill-opacity=".25"/>',
            f'<rect {bar} width="{full * shares[name]:.1f}" fill="{BEST}"/>',
            text(WIDTH - right + 6, y + 10, f"{shares[name]:.0%}"),
        ]
    title = "Share of dead units, from the input on"
    return svg(title, parts, height=28 + 19 * len(names))


def across(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Places along the horizontal axis."""
    return _scaled(values, low, high, LEFT, WIDTH - RIGHT)


def up(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Places along the vertical axis."""
    return _scaled(values, low, high, HEIGHT - BOTTOM, TOP)


def _scaled(values, low, high, start, stop):
    size = (high - low) or 1.0
    share = (values - low) / size if high > low else np.full(np.shape(values), 0.5)
    return start + share * (stop - start)


def path(xs: np.ndarray, ys: np.ndarray) -> str:
    """The `d` of a line through points."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(xs, ys, strict=True))


def axes() -> str:
    """The two axes."""
    bottom = HEIGHT - BOTTOM
    return (
        f'<path d="M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}" stroke="currentColor" '
        'stroke-opacity=".4" fill="none"/>'
    )


def legend(entries: list[tuple[str, str]]) -> str:
    """Colors and what they mean."""
    parts, x = [], 0
    for color, label in entries:
        parts += [
            f'<rect x="{x}" y="27" width="8" height="8" fill="{color}"/>',
            text(x + 12, 35, label),
        ]
        x += 24 + int(5.6 * len(label))
    return "".join(parts)


def short(value: float) -> str:
    """Three digits, or two where that is too long."""
    text = f"{value:.3g}"
    if len(text) <= 6:
        return text
    return f"{value:.1e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")


def text(
    x: float, y: float, words: str, anchor: str = "start", weight: str = "normal"
) -> str:
    """A line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{html.escape(words)}</text>'
    )


def svg(title: str, parts: list[str], height: int = HEIGHT) -> str:
    """A picture with a title."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" fill="currentColor" '
        'font-family="system-ui,sans-serif" font-size="11">'
        f"<title>{html.escape(title)}</title>"
        f"{text(0, 14, title, weight='bold')}{''.join(parts)}</svg>"
    )
