"""Writes the speed tables of `benchmarks.md` from `benchmarks/results/*.json`.

    python docs/speed.py

The results are measured by `BENCHMARK_KEEP=1 python -m benchmarks losses metrics`.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import losses, metrics

PAGE = Path(__file__).resolve().parent / "benchmarks.md"
RESULTS = PAGE.parent.parent / "benchmarks" / "results"
BEGIN, END = "<!-- made by docs/speed.py -->\n", "<!-- end -->\n"
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
BARE = "softmax and its gradient"
MOST = 3  # times the floor, above which there must be a reason

# Why a loss or metric takes more than `MOST` times its floor.
SOFTMAX = "an exponential of each entry, which a bare softmax also takes"
COUNTING = "an arg-max over short rows, and a count for each pixel"
WHY = {
    "MaskedCrossentropy": SOFTMAX,
    "MaskedCrossentropy, focal": f"{SOFTMAX}; a power of each pixel",
    "MaskedCrossentropy, multi_label": (
        "a sigmoid and a logarithm of each entry, and labels as large as the logits"
    ),
    "MaskedSoftDice": f"{SOFTMAX}; sums of each class",
    "MaskedSoftDice, multi_label": (
        "a sigmoid of each entry, labels as large as the logits, and three sums of them"
    ),
    "WeightedSum of these two": f"{SOFTMAX}, once for both; sums of each class",
    "WeightedSum, unified focal": f"{SOFTMAX}, once for both; sums of each class",
    "MaskedTversky": f"{SOFTMAX}; sums of each class",
    "MaskedLovasz": "the errors of each image and class are sorted",
    "MaskedClDice": "two skeletons, each of eight poolings of all entries",
    "MaskedBoundary": (
        "distances of each image and class; `signed_distance()` computes them once, in "
        "the data pipeline"
    ),
    "MaskedHausdorff": (
        "distances of each image and class, of labels and of predictions, in each step"
    ),
    **dict.fromkeys(
        [
            *("MeanIoU", "MeanIoU, classes first", "MeanIoU, NumPy arrays"),
            *("DiceScore", "PixelAccuracy", "ConfusionMatrix"),
        ],
        COUNTING,
    ),
    "MeanIoU, weights of pixels": (
        f"{COUNTING}; weights are added in five digits, so that their sum is exact"
    ),
    "MeanIoU, scope='image'": f"{COUNTING}, in a matrix for each image",
    "DiceScore, scope='image'": f"{COUNTING}, in a matrix for each image",
    "MeanIoU, multi_label": "labels as large as the scores, and a table for each class",
    "MeanIoU, multi_label, weights": (
        "a weight for each entry, added in five digits, so that the sum is exact"
    ),
    "MaskedMean of MaskedCrossentropy": SOFTMAX,
    "PredictionSpread": f"{SOFTMAX}; rows of labels and sums of squares",
    "BoundaryIoU": f"{COUNTING}; windows around each pixel",
    "SurfaceDistances": "distances of each image and class, by SciPy",
    "MeanIoU update, NumPy": COUNTING,
    "MeanIoU update, tensors": COUNTING,
    "MeanIoU result": "the price of a call; it reads no logits",
    "MaskedCrossentropy, NumPy": SOFTMAX,
    "MaskedCrossentropy, tensors": SOFTMAX,
    "MaskedSoftDice, NumPy": f"{SOFTMAX}; sums of each class",
    "MaskedSoftDice, tensors": f"{SOFTMAX}; sums of each class",
    "MeanIoU.best_threshold of 4x256x256": "`predict`, and a histogram by NumPy",
}
# Of others, or a yardstick.
THEIRS = ("Keras", "torch", "MONAI", "smp", "medicai", "floor", "softmax", "arg-max")


def results():
    """The results of all backends, in the order of `BACKENDS`."""
    paths = [RESULTS / f"{name}.json" for name in BACKENDS]
    return [json.loads(path.read_text("utf-8")) for path in paths if path.exists()]


def section(found):
    """The generated part of the page.

    Args:
        found: List of the results of backends.
    """
    parts = [_of_backend(result) for result in found]
    return "\n\n".join([*parts, _reasons(found)]) + "\n"


def slow(found):
    """The names of ours that take more than `MOST` times the floor in any case."""
    names = {
        name
        for result in found
        for case in result["cases"].values()
        if case["floor"]
        for name, value in case["values"].items()
        if value > MOST * case["values"][case["floor"]]
        if not name.startswith(THEIRS)
    }
    return sorted(names)


def _of_backend(result):
    versions = ", ".join(f"{name} {v}" for name, v in result["versions"].items())
    lines = [
        f"### {BACKENDS[result['backend']]}",
        f"{result['machine']}; {versions}.",
        _goals(result),
    ]
    for kind in ("losses", "metrics"):
        cases = {
            name.removeprefix(f"{kind} "): case
            for name, case in result["cases"].items()
            if name.startswith(kind) and case["floor"] and not name.endswith("small")
        }
        if cases:
            lines.append(_table(kind, cases))
    small = result["cases"].get("metrics small")
    if small:
        lines.append(_table("one image of 256x256x21, eager", {"": small}))
    memory = {name: case for name, case in result["cases"].items() if not case["floor"]}
    lines += [_memory(name, case["values"]) for name, case in memory.items()]
    return "\n\n".join(line for line in lines if line)


def _goals(result):
    """A table of ratios with a limit, of all cases."""
    rows = []
    for name, case in result["cases"].items():
        limits = metrics.LIMITS if name.startswith("metrics") else losses.LIMITS
        limits = metrics.SMALL_LIMITS if name.endswith("small") else limits
        values = case["values"]
        for ours, theirs, limit in limits:
            if ours in values and theirs in values:
                ratio = values[ours] / values[theirs]
                mark = "" if ratio <= limit else " (missed)"
                rows.append(
                    f"| {name} | {ours} / {theirs} | {ratio:.2f}{mark} | {limit:.2g} |"
                )
    head = "| case | ratio | measured | at most |\n| --- | --- | --- | --- |"
    return "\n".join([head, *rows]) if rows else ""


def _table(title, cases):
    """A table of ours: milliseconds, ratio to the floor, ratios to those of others."""
    names = dict.fromkeys(
        name
        for case in cases.values()
        for name in (*case["values"], *case["left out"])
        if not name.startswith(THEIRS) and name not in ("torchmetrics",)
        if not name.startswith("torchmetrics")
    )
    lines = [
        f"| {title} | " + " | ".join(cases) + " |",
        "| --- " * (len(cases) + 1) + "|",
    ]
    for name in names:
        cells = [_cell(name, case) for case in cases.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for other, words in ((BARE, "a bare softmax"), (None, "floor")):
        cells = []
        for case in cases.values():
            values = case["values"]
            value = values.get(other or case["floor"])
            ratio = value and f", {value / values[case['floor']]:.0f}x"
            cells.append(f"{_ms(value)}{ratio if other else ''}" if value else "")
        if any(cells):
            lines.append(f"| *{words}* | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(name, case):
    if name in case["left out"]:
        return case["left out"][name].replace("|", " ")
    value = case["values"].get(name)
    if value is None:
        return ""
    text = f"{_ms(value)}, {value / case['values'][case['floor']]:.1f}x"
    others = {**losses.COUNTERPARTS, **metrics.COUNTERPARTS}.get(name, [])
    ratios = [
        f"{value / case['values'][other]:.2f} {_short(other)}"
        for other in others
        if other in case["values"]
    ]
    return f"{text}<br>{', '.join(ratios)}" if ratios else text


def _short(name):
    library = name.split()[0].rstrip(",")
    return library + (" first" if name.endswith("classes first") else "")


def _ms(seconds):
    return f"{seconds * 1e3:.3g} ms"


def _memory(name, values):
    unit = "sizes of the logits" if name.startswith("losses") else "bytes per pixel"
    lines = [f"| {name} | peak, in {unit} |", "| --- | --- |"]
    lines += [f"| {key} | {value:.2g} |" for key, value in values.items()]
    return "\n".join(lines)


def _reasons(found):
    head = "| more than 3 times the floor | because of |\n| --- | --- |"
    rows = [f"| {name} | {WHY[name]} |" for name in slow(found)]
    return "\n".join([head, *rows])


def page(text, found):
    """The page with its generated part replaced."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + section(found) + "\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8"), results()), "utf-8")
