"""The picture of a training that `CollapseDetector` watched."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def collapse_figure(detector: Any, path: Any = None) -> "Figure":
    """Draws skill and spread of the predictions by step, with collapses and rescues.

    Args:
        detector: `CollapseDetector` after, or during, `fit`.
        path: File to save the picture to, or None.

    Returns:
        `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    history = detector.history
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    for key, label in (
        ("skill", "skill (0: the best constant prediction, 1: perfect)"),
        ("std_ratio", "spread of predictions relative to targets"),
    ):
        values = np.clip(np.array(history[key], float), -1, 1.5)
        axes.plot(history["step"], values, ".-", label=label)
    axes.axhline(0, color="0.7", linewidth=0.8)
    words = ("rescued", "stopped") if detector.rescues else ("collapsed", "collapsed")
    for number, step in enumerate(detector.alarms):
        axes.axvline(step, color="tab:red", linestyle=":")
        word = words[number >= len(detector.rescues)]
        axes.annotate(
            word, (step, 1), xycoords=("data", "axes fraction"), rotation=90, va="top"
        )
    if detector.diagnosis is not None and detector.diagnosis.findings:
        first = detector.diagnosis.findings[0]
        axes.set_title(f"{first.code} {first.name}", loc="left")
    axes.set(xlabel="step", ylim=(-1.05, 1.55))
    axes.legend(loc="lower right", fontsize="small")
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure
