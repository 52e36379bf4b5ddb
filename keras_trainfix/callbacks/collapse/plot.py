"""The picture of a training that `CollapseDetector` watched."""

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_trainfix.messages import skill_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOWEST = -1.0  # of the axis of the skill; what is beyond has an arrow and its value
MOST_VALUES = 6  # that are written at arrows
ALARM = "tab:red"


def collapse_figure(detector: Any, path: Any = None) -> "Figure":
    """Draws skill, spread of the predictions and loss by step, collapses and rescues.

    Nothing is cut off in silence: a skill below the axis has an arrow and its value.

    Args:
        detector: `CollapseDetector` after, or during, `fit`.
        path: File to save the picture to, or None.

    Returns:
        `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    panels = figure.subplots(3, sharex=True, height_ratios=(3, 2, 2))
    history = detector.history
    steps = np.array(history["step"], float)
    _draw_skill(panels[0], steps, np.array(history["skill"], float))
    _draw_spread(panels[1], steps, np.array(history["std_ratio"], float))
    _draw_loss(panels[2], detector.losses)
    _mark_alarms(panels, detector)
    panels[-1].set_xlabel("step")
    panels[0].set_title(_title(detector), loc="left", fontsize="medium", wrap=True)
    if not len(steps):
        panels[0].text(0.5, 0.5, "no check yet", transform=panels[0].transAxes)
    for axes in panels:
        if axes.get_legend_handles_labels()[1]:
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure


def _draw_skill(axes: "Axes", steps: np.ndarray, skill: np.ndarray) -> None:
    axes.axhspan(LOWEST, 0, color=ALARM, alpha=0.08, label="no better than a constant")
    is_beyond = skill < LOWEST
    axes.plot(steps, np.where(is_beyond, np.nan, skill), ".-", label="skill")
    if is_beyond.any():
        places = np.flatnonzero(is_beyond)
        axes.plot(
            steps[places],
            np.full(len(places), LOWEST + 0.06),
            "v",
            color="tab:blue",
            label="skill, further below",
        )
        shown = np.unique(np.linspace(0, len(places) - 1, MOST_VALUES).astype(int))
        for place in places[shown]:
            axes.annotate(
                skill_in_words(skill[place]),
                (steps[place], LOWEST + 0.06),
                xytext=(0, 7),
                textcoords="offset points",
                ha="center",
                fontsize="x-small",
            )
    axes.set(ylabel="skill", ylim=(LOWEST, 1.05))


def _draw_spread(axes: "Axes", steps: np.ndarray, spread: np.ndarray) -> None:
    axes.axhline(1, color="0.7", linewidth=0.8, label="that of the targets")
    axes.plot(steps, spread, ".-", color="tab:orange", label="spread of predictions")
    # Linear below 1, where a collapse shows, and logarithmic above.
    axes.set_yscale("symlog", linthresh=1)
    known = spread[np.isfinite(spread)]
    axes.set(ylabel="spread", ylim=(0, max(2.0, 1.2 * known.max(initial=0))))


def _draw_loss(axes: "Axes", losses: list) -> None:
    steps = [one.step for one in losses]
    axes.plot(steps, [one.loss for one in losses], ".-", color="0.3", label="loss")
    validation = [one.validation for one in losses]
    if np.isfinite(validation).any():
        axes.plot(steps, validation, ".--", color="tab:green", label="validation loss")
    values = np.array([*(one.loss for one in losses), *validation], float)
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > 100 * values.min():
        axes.set_yscale("log")
    axes.set_ylabel("loss")


def _mark_alarms(panels: Any, detector: Any) -> None:
    words = ("rescued", "stopped") if detector.rescues else ("collapsed", "collapsed")
    for number, step in enumerate(detector.alarms):
        for axes in panels:
            axes.axvline(step, color=ALARM, linestyle=":")
        panels[0].annotate(
            words[number >= len(detector.rescues)],
            (step, 1),
            xycoords=("data", "axes fraction"),
            xytext=(3, -4),
            textcoords="offset points",
            rotation=90,
            va="top",
            fontsize="small",
            color=ALARM,
        )


def _title(detector: Any) -> str:
    """What the detector says, and whether its rescues led anywhere."""
    found = detector.diagnosis
    if found is None or not found.findings:
        return ""
    gave_up = len(detector.alarms) > len(detector.rescues) > 0
    rest = " The rescue gave up." if gave_up else ""
    return f"{found.findings[0].code} {found.findings[0].name}.{rest}"
