"""The output of a model to draw, and how to interpret its predictions."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.callbacks.collapse.samples import ArgumentError, MisfitError
from keras_trainfix.data import as_array
from keras_trainfix.diagnosis.observe.sample import Sample
from keras_trainfix.diagnosis.observe.targets import Targets, read_targets
from keras_trainfix.diagnosis.observe.task import CLASSIFIES
from keras_trainfix.diagnosis.snapshot import OutputView, Snapshot
from keras_trainfix.labels import ignored_ids
from keras_trainfix.labels.types import IgnoreClass
from keras_trainfix.messages import in_one_line

SMALLEST = 8  # pixels of each side of an image without a channel axis
NUMBERS = ("regression", "count", "similarity")  # kinds of losses of real numbers


class Settings(NamedTuple):
    """How to interpret predictions: arguments of `PredictionSnapshots`."""

    output: str | None
    task: str | None
    class_names: list[str] | None
    ignore_class: IgnoreClass
    axis: int
    from_logits: bool | None
    decode: Callable[[np.ndarray], Any] | None = None


class Output(NamedTuple):
    """One output of a model, for a few samples.

    Attributes:
        name: String.
        view: `OutputView`, without targets.
        images: The inputs to show, `(N, H, W)` or `(N, H, W, C)`, or None.
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
        """Whether predictions are images, like the inputs."""
        if self.images is None:
            return False
        shape = self.predictions.shape
        return len(shape) == 4 or shape == self.images.shape[:3]


def find_output(settings: Settings, snapshot: Snapshot, sample: Sample) -> Output:
    """The `Output` to draw.

    Args:
        settings: `Settings`.
        snapshot: `Snapshot` of the inputs of a sample.
        sample: `Sample`.

    Returns:
        `Output`.

    Raises:
        ArgumentError: If the model has no output of that name.
        MisfitError: If `labels` contains none for it.
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
                f"`labels` must contain those of the output '{name}'. Received: labels "
                f"of {sorted(y)}."
            )
        y = y[name]
    elif isinstance(y, (list, tuple)):
        if len(y) != len(names):
            raise MisfitError(
                f"`labels` must be those of '{name}', or a list of one array per "
                f"output, and there are {len(names)} outputs. Received: {len(y)} "
                "arrays."
            )
        y = y[number]
    view = snapshot.views()[number]
    if settings.decode is not None:
        view = copy.copy(view)
        view.predictions = decoded(settings, view.predictions)
    return Output(name, view, first_images(sample.x), y)


def decoded(settings: Settings, predictions: np.ndarray) -> np.ndarray:
    """The answers to draw: predictions, or what `decode` makes of them.

    Raises:
        MisfitError: If `decode` raises, or does not give an answer per sample.
    """
    if settings.decode is None:
        return predictions
    try:
        answers = np.asarray(as_array(settings.decode(predictions)))
    except Exception as error:  # the user's own code
        raise MisfitError(f"`decode` raised {in_one_line(error)}") from error
    if answers.ndim == 0 or len(answers) != len(predictions):
        raise MisfitError(
            f"`decode` must return one answer per sample, {len(predictions)} in all. "
            f"Received: an array of shape {answers.shape}."
        )
    return answers


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

    The last axis is -1, whatever the rank.
    """
    axis = output.view.class_axis
    is_last = axis >= output.predictions.ndim - 1
    return settings.axis if settings.axis != -1 or is_last else axis


def targets_of(output: Output, settings: Settings) -> Targets | None:
    """The `Targets` of the labels to draw; None without labels."""
    if output.labels is None:
        return None
    axis, ignored = class_axis_of(output, settings), ignored_ids(settings.ignore_class)
    return read_targets(output.labels, output.predictions.shape, axis, ignored)


def has_classes(output: Output, settings: Settings) -> bool:
    """Whether the predictions are of classes, as opposed to numbers."""
    if settings.task is not None:
        return settings.task != "regression"
    head, kind = output.view.head, output.view.loss.kind
    targets = targets_of(output, settings)
    if targets is None:
        return kind in CLASSIFIES or head.is_probability
    if targets.form == "real" or (kind in NUMBERS and not head.is_probability):
        return False
    if targets.form == "ids" and kind not in CLASSIFIES:  # or they are whole numbers
        is_sparse = targets.numbers is not None and not targets.is_rows
        return is_sparse and targets.units > 1
    return True


def check_task(task: str, output: Output) -> None:
    """Checks that the predictions have a shape that suits the task.

    Raises:
        ArgumentError: If they do not.
    """
    if output.is_map != (task == "segmentation"):
        raise ArgumentError(
            "Predictions must be images, like the inputs, for a segmentation, and must "
            f"not be images for a classification. Received: task={task!r}, predictions "
            f"of shape {output.predictions.shape}."
        )


def is_multi_label(output: Output, settings: Settings) -> bool:
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


def has_logits(output: Output, settings: Settings) -> bool:
    """Whether predictions are logits: class 1 of a single unit begins at 0, not 0.5."""
    if settings.from_logits is not None:
        return settings.from_logits
    head, loss = output.view.head, output.view.loss
    if head.is_probability or loss.kind in NUMBERS:
        return False
    if loss.from_logits is not None:
        return loss.from_logits
    return head.activation == "linear"
