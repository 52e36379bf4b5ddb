"""Readers: what a picture keeps of labels and predictions."""

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.callbacks.collapse.samples import ArgumentError
from keras_trainfix.callbacks.snapshots.outputs import (
    check_task,
    class_axis_of,
    has_classes,
    has_several,
    takes_logits,
    targets_of,
)
from keras_trainfix.callbacks.snapshots.pictures import (
    MOST_COLUMNS,
    ClassGrid,
    ImageGrid,
    MaskGrid,
    Scatter,
)
from keras_trainfix.callbacks.snapshots.tiles import image_tiles
from keras_trainfix.labels import class_ids
from keras_trainfix.metrics.predictions import predicted_classes, prediction_form
from keras_trainfix.metrics.reading import labels_of
from keras_trainfix.metrics.setting import checked_setting

THRESHOLD = 0.5


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
    is_map = output.is_map
    if settings.task in ("classification", "segmentation"):
        check_task(settings.task, output)
    if not has_classes(output, settings):
        return (ImageReader if is_map else NumberReader)(output)
    if has_several(output, settings):
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
            takes_logits(output, settings),
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
        axis = class_axis_of(output, settings)
        self.names = _names(settings, output.predictions.shape[axis])
        is_logit = takes_logits(output, settings)
        self.threshold = 0.0 if is_logit else THRESHOLD
        texts = valid = None
        targets = targets_of(output, settings)
        if targets is not None:
            _check_size(output, output.predictions.size)
            valid = ~targets.ignored
            texts = self._texts(output.labels > THRESHOLD)
        self.picture = ClassGrid(_tiles(output), texts, valid)

    def content(self, predictions):
        """What the picture keeps."""
        texts = self._texts(predictions > self.threshold)
        return self.picture.content(texts, texts)

    def _texts(self, rows):
        chosen = [np.flatnonzero(row) for row in rows]
        return [", ".join(self.names[i] for i in some) or "none" for some in chosen]


def _names(settings, number):
    """A string for each class."""
    names = settings.class_names
    if names is None:
        return list(map(str, range(number)))
    if len(names) != number:
        raise ArgumentError(
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
