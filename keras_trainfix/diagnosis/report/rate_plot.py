"""The picture of a learning rate range test."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HIGHEST = 2.0  # times the loss at the start: more is cut off


def rate_figure(found: Any, path: Any = None) -> "Figure":
    """Draws the loss at each rate, the suggestion, and where training diverges.

    Args:
        found: `LearningRateRange`.
        path: File to save the picture to, or None.

    Returns:
        `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    top = found.start + (HIGHEST - 1) * abs(found.start)
    losses = np.minimum(found.losses, top)  # NaN leaves a gap
    axes.plot(found.rates, losses, ".-", label="loss on held-out samples")
    axes.axhline(found.start, color="0.7", linewidth=0.8, label="before the first step")
    if found.edge is not None:
        axes.axvspan(found.edge, found.rates[-1], color="tab:red", alpha=0.1)
        axes.annotate(
            "diverges",
            (found.edge, 1),
            xycoords=("data", "axes fraction"),
            rotation=90,
            va="top",
        )
    if found.suggestion is None:
        axes.set_title("No learning rate is good", loc="left")
    else:
        axes.axvline(found.suggestion, color="tab:green", linestyle=":")
        axes.set_title(f"Use a learning rate of {found.suggestion:g}", loc="left")
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
    axes.legend(loc="lower left", fontsize="small")
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure
