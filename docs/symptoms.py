"""Draws the pictures on the symptom pages, from the snippets on those pages.

    python docs/symptoms.py

Runs the faulty and the fixed training of each page. Takes about a minute on two cores.
"""

import os
import re
import sys
from pathlib import Path

# A oneDNN convolution writes out of bounds on some CPUs: see examples/README.md.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras
import matplotlib as mpl
import numpy as np

mpl.use("agg")
from matplotlib import pyplot as plt

FOLDER = Path(__file__).resolve().parent
TARGET, PREDICTION = "#8b949e", "#2f81f7"
TITLES = ("fault", "fixed")


def _trained(page):
    """Namespaces of a page after its faulty and after its fixed training."""
    text = (FOLDER / f"{page}.md").read_text("utf-8")
    names, stages = {}, []
    for snippet in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        exec(snippet, names)
        if names.pop("diagnosis", None) is not None:
            stages.append(dict(names))
    return stages


def _predicted(names):
    return names["model"].predict(names["x"], verbose=0)


def _scatter(axes, names):
    y = names["y"].ravel()
    ends = [y.min(), y.max()]
    axes.plot(ends, ends, color=TARGET, linestyle="--", linewidth=1)
    axes.scatter(y, _predicted(names), s=4, color=PREDICTION)
    axes.set(xlabel="target", ylabel="predicted", ylim=[ends[0] - 0.2, ends[1] + 0.2])


def _bars(axes, names):
    places = np.arange(2)
    for shift, counts, color, label in (
        (-0.2, np.bincount(names["y"]), TARGET, "labels"),
        (0.2, names["answers"](_predicted(names)), PREDICTION, "predicted"),
    ):
        shares = np.append(counts, np.zeros(2 - len(counts))) / len(names["y"])
        axes.bar(places + shift, shares, 0.4, color=color, label=label)
    axes.set(xlabel="class", ylabel="share", ylim=[0, 1.05], xticks=places)
    axes.legend(frameon=False)


def _losses(axes, names):
    history = names["model"].history.history["loss"]
    epochs = np.arange(1, len(history) + 1)
    if np.isfinite(history).any():
        axes.plot(epochs, history, color=PREDICTION)
    else:
        axes.text(0.5, 0.5, "nan", ha="center", transform=axes.transAxes)
    axes.set(xlabel="epoch", ylabel="loss", xlim=[1, len(history)])
    axes.set_ylim(0, 1.1 * np.nanmax([*history, 0.1]))


def _pairs(page, draw):
    """Two panels: with the fault and without it."""
    figure, panels = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained")
    for axes, title, names in zip(panels, TITLES, _trained(page), strict=True):
        draw(axes, names)
        axes.set_title(title)
        axes.spines[["top", "right"]].set_visible(False)
    _save(figure, page)


def _masks(page):
    """Three images, their masks, and the predictions with the fault and without it."""
    fault, fixed = _trained(page)
    columns = {
        "image": fixed["x"],
        "label": fixed["y"],
        TITLES[0]: _predicted(fault) > 0.5,
        TITLES[1]: fixed["probabilities"] > 0.5,
    }
    figure, panels = plt.subplots(3, 4, figsize=(5, 3.9), layout="constrained")
    for row, axes in enumerate(panels):
        for panel, (title, images) in zip(axes, columns.items(), strict=True):
            panel.imshow(images[row, ..., 0], cmap="gray")
            panel.set(xticks=[], yticks=[], title="" if row else title)
    _save(figure, page)


def _save(figure, page):
    figure.savefig(FOLDER / f"{page}.png", dpi=100, metadata={"Software": None})
    plt.close(figure)


def main():
    """Draws all the pictures."""
    keras.config.disable_interactive_logging()
    _pairs("constant-answer", _scatter)
    _pairs("one-class", _bars)
    _pairs("nan-or-negative-loss", _losses)
    _pairs("loss-does-not-move", _losses)
    _masks("one-class-masks")


if __name__ == "__main__":
    main()
