"""Readers: what a picture keeps of labels and predictions."""

from typing import Any, Protocol

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.callbacks.collapse.samples import ArgumentError
from keras_trainfix.callbacks.snapshots.grid import Cell
from keras_trainfix.callbacks.snapshots.outputs import (
    Output,
    Settings,
    check_task,
    class_axis_of,
    has_classes,
    has_logits,
    is_multi_label,
    targets_of,
)
from keras_trainfix.callbacks.snapshots.pictures import (
    MOST_COLUMNS,
    ClassGrid,
    ImageGrid,
    MaskGrid,
    Picture,
    Scatter,
)
from keras_trainfix.callbacks.snapshots.tiles import image_tiles
from keras_trainfix.data import is_text
from keras_trainfix.labels import class_ids
from keras_trainfix.metrics.predictions import predicted_classes, prediction_form
from keras_trainfix.metrics.reading import labels_of
from keras_trainfix.metrics.setting import checked_setting

THRESHOLD = 0.5


class Reader(Protocol):
    """What reads the predictions of one output for a picture."""

    @property
    def picture(self) -> Picture:
        """The picture to draw."""

    def content(self, predictions: np.ndarray) -> Any:
        """What the picture keeps of predictions `(N, ...)` after an epoch."""


def reader_of(output: Output, settings: Settings) -> Reader:
    """The reader that suits an output.

    Args:
        output: `Output`.
        settings: `Settings`.

    Returns:
        `Reader`.

    Raises:
        ArgumentError: If `task` or `class_names` does not fit the predictions.
        ValueError: If labels do not fit the predictions.
    """
    if is_text(output.predictions):
        return TextReader(output)
    is_map = output.is_map
    if settings.task in ("classification", "segmentation"):
        check_task(settings.task, output)
    if not has_classes(output, settings):
        return (ImageReader if is_map else NumberReader)(output)
    if is_multi_label(output, settings):
        return ImageReader(output) if is_map else MultiLabelReader(output, settings)
    if not is_map and output.predictions.ndim > 2:
        raise ValueError(
            "Classes can only be drawn one per image or one per pixel. Received: "
            f"predictions of shape {output.predictions.shape}."
        )
    return (MaskReader if is_map else ClassReader)(output, settings)


class NumberReader:
    """Reads numbers, to draw against their targets.

    Args:
        output: `Output`.
    """

    def __init__(self, output: Output) -> None:
        units = int(np.prod(output.predictions.shape[1:]))
        targets = output.labels
        if targets is not None:
            _check_size(output, units * len(targets))
            targets = _columns(targets)
        self.picture = Scatter(targets)

    def content(self, predictions: np.ndarray) -> np.ndarray:
        """What the picture keeps of predictions `(N, ...)`."""
        return self.picture.content(_columns(predictions))


class ImageReader:
    """Reads predictions that are images of numbers.

    Args:
        output: `Output`.
    """

    def __init__(self, output: Output) -> None:
        if output.labels is not None:
            _check_size(output, output.predictions.size)
        self.picture = ImageGrid(image_tiles(output.images), output.labels)

    def content(self, predictions: np.ndarray) -> list[Cell]:
        """What the picture keeps of predictions `(N, H, W)` or `(N, H, W, C)`."""
        return self.picture.content(predictions)


class _ClassIds:
    """The class of each pixel or sample, in labels and in predictions."""

    def __init__(self, output, settings):
        predictions, axis = output.predictions, class_axis_of(output, settings)
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
            has_logits(output, settings),
        )
        labels = output.labels
        if labels is None:
            pixels = np.delete(predictions.shape, axis) if has_axis else None
            labels = np.zeros(predictions.shape if pixels is None else pixels, "int32")
        self.form = prediction_form(labels, predictions, self.num_classes, axis)

    def of_labels(self, output):
        """`(ids, valid)`; `(None, None)` without labels."""
        if output.labels is None:
            return None, None
        read = labels_of(
            output.labels, output.predictions, self.form, self.setting, check=True
        )
        ids = class_ids(read, self.form.axis)
        return backend.to_numpy(ids), backend.to_numpy(read.valid)

    def of_predictions(self, predictions):
        """Integer array; `num_classes` where a prediction is not a number."""
        if self.form.kind == "binary" and not self.setting.from_logits:
            predictions = np.clip(predictions, 0, 1)  # a linear unit is unbounded
        tensor = keras.ops.convert_to_tensor(predictions)
        return backend.to_numpy(predicted_classes(tensor, self.form, self.setting))

    def name(self, index):
        """The name of a class."""
        return self.names[index] if index < self.num_classes else "not a number"


class MaskReader:
    """Reads the class of each pixel.

    Args:
        output: `Output`.
        settings: `Settings`.
    """

    def __init__(self, output: Output, settings: Settings) -> None:
        self.ids = _ClassIds(output, settings)
        labels, valid = self.ids.of_labels(output)
        tiles = image_tiles(output.images)
        self.picture = MaskGrid(tiles, labels, valid, self.ids.names)

    def content(self, predictions: np.ndarray) -> list[Cell]:
        """What the picture keeps of predictions `(N, H, W)` or `(N, H, W, C)`."""
        return self.picture.content(self.ids.of_predictions(predictions))


class ClassReader:
    """Reads the class of each sample.

    Args:
        output: `Output`.
        settings: `Settings`.
    """

    def __init__(self, output: Output, settings: Settings) -> None:
        self.ids = _ClassIds(output, settings)
        labels, valid = self.ids.of_labels(output)
        texts = None
        if labels is not None:
            pairs = zip(labels.tolist(), valid.tolist(), strict=True)
            texts = [self.ids.name(i) if is_valid else "void" for i, is_valid in pairs]
        self.picture = ClassGrid(_tiles(output), texts, valid)

    def content(self, predictions: np.ndarray) -> list[Cell]:
        """What the picture keeps of predictions `(N, C)` or `(N,)`."""
        ids = self.ids.of_predictions(predictions)
        classes = [self.ids.name(index) for index in ids.tolist()]
        return self.picture.content(self._texts(classes, ids, predictions), classes)

    def _texts(self, classes, ids, predictions):
        """The classes, with their probabilities if the predictions are such."""
        in_range = (predictions >= 0) & (predictions <= 1)  # NaN is not
        if self.ids.setting.from_logits or not in_range.all():
            return classes
        if self.ids.form.kind == "scores":
            chosen = predictions[np.arange(len(ids)), ids]
        else:
            of_class_1 = predictions.reshape(len(ids))
            chosen = np.where(ids == 1, of_class_1, 1 - of_class_1)
        pairs = zip(classes, chosen.tolist(), strict=True)
        return [f"{name}  {probability:.2f}" for name, probability in pairs]


class TextReader:
    """Reads texts, as `decode` makes them of predictions.

    Args:
        output: `Output`.
    """

    def __init__(self, output: Output) -> None:
        texts = valid = None
        if output.labels is not None:
            if not is_text(output.labels):
                raise ValueError(
                    "`labels` must be strings where `decode` returns strings. "
                    f"Received: labels of dtype {output.labels.dtype}."
                )
            texts = _strings(output.labels)
            valid = np.ones(len(texts), bool)
        self.picture = ClassGrid(_tiles(output), texts, valid)

    def content(self, predictions: np.ndarray) -> list[Cell]:
        """What the picture keeps of texts `(N,)`."""
        texts = _strings(predictions)
        return self.picture.content(texts, texts)


class MultiLabelReader:
    """Reads which classes a sample has, if it may have several or none.

    Args:
        output: `Output`.
        settings: `Settings`.
    """

    def __init__(self, output: Output, settings: Settings) -> None:
        axis = class_axis_of(output, settings)
        self.names = _names(settings, output.predictions.shape[axis])
        self.threshold = 0.0 if has_logits(output, settings) else THRESHOLD
        texts = valid = None
        targets = targets_of(output, settings)
        if targets is not None:
            _check_size(output, output.predictions.size)
            valid = ~targets.ignored
            texts = self._texts(output.labels > THRESHOLD)
        self.picture = ClassGrid(_tiles(output), texts, valid)

    def content(self, predictions: np.ndarray) -> list[Cell]:
        """What the picture keeps of predictions `(N, C)`."""
        texts = self._texts(predictions > self.threshold)
        return self.picture.content(texts, texts)

    def _texts(self, rows):
        chosen = [np.flatnonzero(row) for row in rows]
        return [", ".join(self.names[i] for i in ids) or "none" for ids in chosen]


def _names(settings, number):
    """The name of each class."""
    names = settings.class_names
    if names is None:
        return list(map(str, range(number)))
    if len(names) != number:
        raise ArgumentError(
            f"`class_names` must have {number} names. Received: {len(names)} names."
        )
    return list(map(str, names))


def _strings(texts):
    return [
        text.decode() if isinstance(text, bytes) else str(text)
        for text in texts.ravel()
    ]


def _tiles(output):
    return None if output.images is None else image_tiles(output.images)


def _columns(values):
    """Numbers as rows `(N, K)`; columns beyond `MOST_COLUMNS` are not drawn."""
    rows = np.asarray(values, "float64").reshape(len(values), -1)
    return rows[:, :MOST_COLUMNS]


def _check_size(output, size):
    if output.labels.size != size:
        raise ValueError(
            "`labels` must have one target per prediction. Received: labels of shape "
            f"{output.labels.shape} for predictions of shape "
            f"{output.predictions.shape}."
        )
