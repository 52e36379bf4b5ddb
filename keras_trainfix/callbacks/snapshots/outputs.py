"""The output of a model that is to be drawn, and what its predictions are."""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.callbacks.collapse.samples import MisfitError
from keras_trainfix.diagnosis.observe.task import CLASSIFIES, label_form
from keras_trainfix.labels import ignored_ids

SMALLEST = 8  # pixels of the side of an image without a channel axis
NUMBERS = ("regression", "count", "similarity")  # kinds of losses


class Settings(NamedTuple):
    """How the user wants predictions to be read: see `PredictionSnapshots`."""

    output: str | None
    task: str | None
    class_names: list | None
    ignore_class: Any
    axis: int
    from_logits: bool | None


class Output(NamedTuple):
    """One output of a model, for a few samples.

    Attributes:
        name: String.
        probe: `Probe`, without targets.
        images: Array `(N, H, W)` or `(N, H, W, C)`, or None: inputs to show.
        labels: Array, or None.
    """

    name: str
    probe: Any
    images: Any
    labels: Any

    @property
    def predictions(self):
        """Array `(N, ...)`."""
        return self.probe.predictions

    @property
    def is_map(self):
        """Whether predictions are images as well."""
        if self.images is None:
            return False
        shape = self.predictions.shape
        return len(shape) == 4 or shape == self.images.shape[:3]


def find_output(settings, look, sample):
    """The `Output` that is to be drawn.

    Args:
        settings: `Settings`.
        look: `Look` at the inputs of a sample.
        sample: `Sample`.

    Returns:
        `Output`.

    Raises:
        MisfitError: If there is no such output, or if it has no labels.
    """
    names, name = look.names, settings.output or look.names[0]
    if name not in names:
        raise MisfitError(
            f"`output` must be one of {names}. Received: output={name!r}."
        )
    number = names.index(name)
    y = sample.y
    if isinstance(y, dict):
        if name not in y:
            raise MisfitError(
                f"`labels` must hold those of the output '{name}'. Received: labels of "
                f"{sorted(y)}."
            )
        y = y[name]
    elif isinstance(y, (list, tuple)):
        if len(y) != len(names):
            raise MisfitError(
                f"`labels` must be those of '{name}', or of each of the {len(names)} "
                f"outputs. Received: {len(y)} arrays."
            )
        y = y[number]
    return Output(name, look.views()[number], first_images(sample.x), y)


def first_images(x):
    """The first input that can be drawn, as `(N, H, W)` or `(N, H, W, C)`, or None."""
    for leaf in keras.tree.flatten(x):
        if leaf.dtype.kind not in "biuf":
            continue
        if leaf.ndim == 3 and min(leaf.shape[1:]) >= SMALLEST:
            return leaf
        if leaf.ndim == 4:
            is_first = leaf.shape[1] in (1, 3, 4) and leaf.shape[-1] not in (1, 3, 4)
            return np.moveaxis(leaf, 1, -1) if is_first else leaf
    return None


def has_classes(output, settings):
    """Whether predictions are of classes, and not numbers."""
    if settings.task is not None:
        return settings.task != "regression"
    head, kind = output.probe.head, output.probe.loss.kind
    if output.labels is None:
        return kind in CLASSIFIES or head.is_probability
    form = _label_form(output, settings)
    if form == "real" or (kind in NUMBERS and not head.is_probability):
        return False
    if form == "ids" and kind not in CLASSIFIES:  # or numbers that are whole
        units = output.predictions.size // output.labels.size
        return units == output.predictions.shape[settings.axis] > 1
    return True


def check_task(task, output):
    """Raises where predictions are not of the shape that a task has."""
    if output.is_map != (task == "segmentation"):
        raise ValueError(
            "Predictions of a segmentation are images, as inputs are, and those of a "
            f"classification are not. Received: task={task!r}, predictions of shape "
            f"{output.predictions.shape}."
        )


def has_several(output, settings):
    """Whether a sample may have several classes, or none."""
    shape, labels = output.predictions.shape, output.labels
    if shape[-1] < 2 or (labels is not None and labels.shape != shape):
        return False
    if labels is not None and _label_form(output, settings) == "multi-hot":
        return True
    head, kind = output.probe.head, output.probe.loss.kind
    return len(shape) == 2 and kind == "binary" and head.activation != "softmax"


def _label_form(output, settings):
    ignored = ignored_ids(settings.ignore_class)
    return label_form(output.labels, output.predictions.shape, ignored).form


def takes_logits(output, settings):
    """Whether class 1 of one unit begins at 0, and not at 0.5."""
    if settings.from_logits is not None:
        return settings.from_logits
    head, loss = output.probe.head, output.probe.loss
    if head.is_probability or loss.kind in NUMBERS:
        return False
    if loss.from_logits is not None:
        return loss.from_logits
    return head.activation == "linear"
