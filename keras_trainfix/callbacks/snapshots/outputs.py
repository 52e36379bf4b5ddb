"""The output of a model that is to be drawn, and what its predictions are."""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.callbacks.collapse.samples import ArgumentError, MisfitError
from keras_trainfix.diagnosis.observe.sample import Sample
from keras_trainfix.diagnosis.observe.targets import Targets, read_targets
from keras_trainfix.diagnosis.observe.task import CLASSIFIES
from keras_trainfix.diagnosis.snapshot import OutputView, Snapshot
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
        view: `OutputView`, without targets.
        images: Array `(N, H, W)` or `(N, H, W, C)`, or None: inputs to show.
        labels: Array, or None.
    """

    name: str
    view: OutputView
    images: Any
    labels: Any

    @property
    def predictions(self) -> np.ndarray:
        """Array `(N, ...)`."""
        return self.view.predictions

    @property
    def is_map(self) -> bool:
        """Whether predictions are images as well."""
        if self.images is None:
            return False
        shape = self.predictions.shape
        return len(shape) == 4 or shape == self.images.shape[:3]


def find_output(settings: Settings, snapshot: Snapshot, sample: Sample) -> Output:
    """The `Output` that is to be drawn.

    Args:
        settings: `Settings`.
        snapshot: `Snapshot` of the inputs of a sample.
        sample: `Sample`.

    Returns:
        `Output`.

    Raises:
        ArgumentError: If there is no such output.
        MisfitError: If it has no labels.
    """
    names, name = snapshot.names, settings.output or snapshot.names[0]
    if name not in names:
        raise ArgumentError(
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
    return Output(name, snapshot.views()[number], first_images(sample.x), y)


def first_images(x: Any) -> np.ndarray | None:
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


def class_axis_of(output: Output, settings: Settings) -> int:
    """The class axis of the predictions: the user's, or else that of the loss.

    It is -1 where it is the last, whatever their rank.
    """
    axis = output.view.class_axis
    is_last = axis >= output.predictions.ndim - 1
    return settings.axis if settings.axis != -1 or is_last else axis


def targets_of(output: Output, settings: Settings) -> Targets | None:
    """The `Targets` of the labels to draw, or None without labels."""
    if output.labels is None:
        return None
    axis, ignored = class_axis_of(output, settings), ignored_ids(settings.ignore_class)
    return read_targets(output.labels, output.predictions.shape, axis, ignored)


def has_classes(output: Output, settings: Settings) -> bool:
    """Whether predictions are of classes, and not numbers."""
    if settings.task is not None:
        return settings.task != "regression"
    head, kind = output.view.head, output.view.loss.kind
    targets = targets_of(output, settings)
    if targets is None:
        return kind in CLASSIFIES or head.is_probability
    if targets.form == "real" or (kind in NUMBERS and not head.is_probability):
        return False
    if targets.form == "ids" and kind not in CLASSIFIES:  # or numbers that are whole
        is_sparse = targets.numbers is not None and not targets.is_rows
        return is_sparse and targets.units > 1
    return True


def check_task(task: str, output: Output) -> None:
    """Raises where predictions are not of the shape that a task has."""
    if output.is_map != (task == "segmentation"):
        raise ArgumentError(
            "Predictions of a segmentation are images, as inputs are, and those of a "
            f"classification are not. Received: task={task!r}, predictions of shape "
            f"{output.predictions.shape}."
        )


def has_several(output: Output, settings: Settings) -> bool:
    """Whether a sample may have several classes, or none."""
    shape, targets = output.predictions.shape, targets_of(output, settings)
    if targets is not None and output.labels.shape != shape:
        return False
    if len(shape) < 2 or shape[class_axis_of(output, settings)] < 2:
        return False
    if targets is not None and targets.form == "multi-hot":
        return True
    head, kind = output.view.head, output.view.loss.kind
    return len(shape) == 2 and kind == "binary" and head.activation != "softmax"


def takes_logits(output: Output, settings: Settings) -> bool:
    """Whether class 1 of one unit begins at 0, and not at 0.5."""
    if settings.from_logits is not None:
        return settings.from_logits
    head, loss = output.view.head, output.view.loss
    if head.is_probability or loss.kind in NUMBERS:
        return False
    if loss.from_logits is not None:
        return loss.from_logits
    return head.activation == "linear"
