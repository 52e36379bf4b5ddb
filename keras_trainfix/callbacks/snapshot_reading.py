"""What the predictions of a model are, and how to read them for a picture."""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.callbacks.samples import MisfitError
from keras_trainfix.callbacks.snapshot_pictures import (
    MOST_COLUMNS,
    ClassGrid,
    ImageGrid,
    MaskGrid,
    Scatter,
    image_tiles,
)
from keras_trainfix.diagnosis.task import CLASSIFIES, label_form
from keras_trainfix.labels import class_ids, ignored_ids
from keras_trainfix.metrics.predictions import predicted_classes, prediction_form
from keras_trainfix.metrics.reading import checked_setting, labels_of

SMALLEST = 8  # pixels of the side of an image without a channel axis
THRESHOLD = 0.5
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
    return Output(name, look.probes()[number], first_images(sample.x), y)


def reader_of(output, settings):
    """The reader of an output.

    Args:
        output: `Output`.
        settings: `Settings`.

    Returns:
        An object with the attributes `picture`, what to draw, and `content`, function
        of the predictions after an epoch that returns what the picture keeps of them.

    Raises:
        ValueError: If labels and predictions do not fit.
    """
    has_classes = _has_classes(output, settings)
    is_map = output.is_map
    if settings.task in ("classification", "segmentation"):
        _check_task(settings.task, output)
    if not has_classes:
        return (ImageReader if is_map else NumberReader)(output)
    if _has_several(output, settings):
        return (ImageReader if is_map else SeveralReader)(output, settings)
    if not is_map and output.predictions.ndim > 2:
        raise ValueError(
            "Classes are drawn of images and of their pixels only. Received: "
            f"predictions of shape {output.predictions.shape}."
        )
    return (MaskReader if is_map else ClassReader)(output, settings)


class NumberReader:
    """Reads numbers, to be drawn over their targets."""

    def __init__(self, output):
        units = int(np.prod(output.predictions.shape[1:]))
        targets = output.labels
        if targets is not None:
            _check_size(output, units * len(targets))
            targets = _columns(targets)
        self.picture = Scatter(targets)

    def content(self, predictions):
        """What the picture keeps."""
        return self.picture.content(_columns(predictions))


class ImageReader:
    """Reads predictions that are images themselves, of numbers."""

    def __init__(self, output, settings=None):
        if output.labels is not None:
            _check_size(output, output.predictions.size)
        self.picture = ImageGrid(image_tiles(output.images), output.labels)

    def content(self, predictions):
        """What the picture keeps."""
        return self.picture.content(predictions)


class _ClassIds:
    """The class of each pixel or sample, of labels and of predictions."""

    def __init__(self, output, settings):
        predictions, axis = output.predictions, settings.axis
        rank = 4 if output.is_map else 2
        has_axis = predictions.ndim == rank
        channels = predictions.shape[axis] if has_axis else 1
        self.num_classes = max(channels, 2)
        self.names = _names(settings, self.num_classes)
        self.setting = checked_setting(
            self.num_classes,
            settings.ignore_class,
            axis,
            THRESHOLD,
            _takes_logits(output, settings),
        )
        labels = output.labels
        if labels is None:
            pixels = np.delete(predictions.shape, axis) if has_axis else None
            labels = np.zeros(predictions.shape if pixels is None else pixels, "int32")
        self.form = prediction_form(labels, predictions, self.num_classes, axis)

    def of_labels(self, output):
        """`(ids, valid)`, or None twice."""
        if output.labels is None:
            return None, None
        read = labels_of(
            output.labels, output.predictions, self.form, self.setting, check=True
        )
        ids = class_ids(read, self.form.axis)
        return backend.to_numpy(ids), backend.to_numpy(read.valid)

    def of_predictions(self, predictions):
        """Integer array; `num_classes` where a prediction is no number."""
        if self.form.kind == "binary" and not self.setting.from_logits:
            predictions = np.clip(predictions, 0, 1)  # a linear unit gives any number
        tensor = keras.ops.convert_to_tensor(predictions)
        return backend.to_numpy(predicted_classes(tensor, self.form, self.setting))

    def name(self, index):
        """What to write for a class."""
        return self.names[index] if index < self.num_classes else "not a number"


class MaskReader:
    """Reads the class of each pixel."""

    def __init__(self, output, settings):
        self.ids = _ClassIds(output, settings)
        labels, valid = self.ids.of_labels(output)
        tiles = image_tiles(output.images)
        self.picture = MaskGrid(tiles, labels, valid, self.ids.names)

    def content(self, predictions):
        """What the picture keeps."""
        return self.picture.content(self.ids.of_predictions(predictions))


class ClassReader:
    """Reads the class of each sample."""

    def __init__(self, output, settings):
        self.ids = _ClassIds(output, settings)
        labels, valid = self.ids.of_labels(output)
        texts = None
        if labels is not None:
            pairs = zip(labels.tolist(), valid.tolist(), strict=True)
            texts = [self.ids.name(i) if is_valid else "void" for i, is_valid in pairs]
        self.picture = ClassGrid(_tiles(output), texts, valid)

    def content(self, predictions):
        """What the picture keeps."""
        ids = self.ids.of_predictions(predictions)
        classes = [self.ids.name(index) for index in ids.tolist()]
        return self.picture.content(self._texts(classes, ids, predictions), classes)

    def _texts(self, classes, ids, predictions):
        """The classes with their probabilities, where predictions are these."""
        in_range = (predictions >= 0) & (predictions <= 1)  # NaN is not
        if self.ids.setting.from_logits or not in_range.all():
            return classes
        if self.ids.form.kind == "scores":
            shares = predictions[np.arange(len(ids)), ids]
        else:
            on = predictions.reshape(len(ids))
            shares = np.where(ids == 1, on, 1 - on)
        pairs = zip(classes, shares.tolist(), strict=True)
        return [f"{name}  {share:.2f}" for name, share in pairs]


class SeveralReader:
    """Reads which of several classes that do not exclude each other a sample has."""

    def __init__(self, output, settings):
        self.names = _names(settings, output.predictions.shape[-1])
        is_logit = _takes_logits(output, settings)
        self.threshold = 0.0 if is_logit else THRESHOLD
        texts = valid = None
        if output.labels is not None:
            _check_size(output, output.predictions.size)
            marks = [i for i in ignored_ids(settings.ignore_class) if i not in (0, 1)]
            valid = ~np.isin(output.labels, marks).any(1)
            texts = self._texts(output.labels > THRESHOLD)
        self.picture = ClassGrid(_tiles(output), texts, valid)

    def content(self, predictions):
        """What the picture keeps."""
        texts = self._texts(predictions > self.threshold)
        return self.picture.content(texts, texts)

    def _texts(self, rows):
        chosen = [np.flatnonzero(row) for row in rows]
        return [", ".join(self.names[i] for i in some) or "none" for some in chosen]


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


def _has_classes(output, settings):
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


def _check_task(task, output):
    if output.is_map != (task == "segmentation"):
        raise ValueError(
            "Predictions of a segmentation are images, as inputs are, and those of a "
            f"classification are not. Received: task={task!r}, predictions of shape "
            f"{output.predictions.shape}."
        )


def _has_several(output, settings):
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


def _takes_logits(output, settings):
    """Whether class 1 of one unit begins at 0, and not at 0.5."""
    if settings.from_logits is not None:
        return settings.from_logits
    head, loss = output.probe.head, output.probe.loss
    if head.is_probability or loss.kind in NUMBERS:
        return False
    if loss.from_logits is not None:
        return loss.from_logits
    return head.activation == "linear"


def _names(settings, number):
    """A string for each class."""
    names = settings.class_names
    if names is None:
        return list(map(str, range(number)))
    if len(names) != number:
        raise ValueError(
            f"`class_names` must have {number} names. Received: {len(names)}."
        )
    return list(map(str, names))


def _tiles(output):
    return None if output.images is None else image_tiles(output.images)


def _columns(values):
    """Numbers as `(N, K)`."""
    rows = np.asarray(values, "float64").reshape(len(values), -1)
    return rows[:, :MOST_COLUMNS]


def _check_size(output, size):
    if output.labels.size != size:
        raise ValueError(
            "Numbers need a target each. Received: labels of shape "
            f"{output.labels.shape} for predictions of shape "
            f"{output.predictions.shape}."
        )
