"""The threshold with which a score is highest, from histograms of predictions."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from keras_trainfix.backend import to_numpy
from keras_trainfix.data import as_array, example_batches, mapped
from keras_trainfix.labels import class_ids, class_rows
from keras_trainfix.labels.dtypes import as_tensor, wide
from keras_trainfix.labels.weights import pixel_weights
from keras_trainfix.metrics.confusion import count, read_batch
from keras_trainfix.metrics.entries import entry_weights
from keras_trainfix.metrics.predictions import score_of
from keras_trainfix.metrics.reading import labels_of
from keras_trainfix.metrics.setting import Setting

if TYPE_CHECKING:
    from keras_trainfix.metrics.score_metric import ScoreMetric


def best_threshold(
    metric: ScoreMetric,
    model: keras.Model,
    data: Any,
    bins: int,
    batch_size: int,
    steps: int | None,
) -> float:
    """See `ScoreMetric.best_threshold`."""
    if not isinstance(bins, numbers.Integral) or bins < 2:
        raise ValueError(f"`bins` must be an integer, 2 or more. Received: {bins=}.")
    thresholds = np.arange(1, bins) / bins
    total = np.zeros(())
    sums, weight = np.zeros(bins - 1), 0.0
    for batch in example_batches(data, batch_size, steps):
        batch = mapped(as_array, batch)  # also tensors of another framework
        tables = _tables(_predicted(model, batch), metric._setting, thresholds)
        if metric.scope == "dataset":
            total = total + tables.sum(axis=0)
            continue
        for table, of_image in zip(tables, _image_weights(batch, tables), strict=True):
            values = _of_image(metric, table)
            if values is not None and of_image:
                sums, weight = sums + of_image * values, weight + of_image
    if metric.scope == "dataset" and total.any():
        sums, weight = _of_data_set(metric, total), 1.0
    if not weight or np.isnan(sums).all():
        raise ValueError(
            "`data` must have a valid pixel of a class that enters the mean. Received: "
            f"data of type {type(data).__name__}, ignore_class={metric.ignore_class}."
        )
    best = np.flatnonzero(sums >= np.nanmax(sums) * (1 - 1e-12))
    return float(thresholds[best[len(best) // 2]])


def _predicted(model: keras.Model, batch: Any) -> tuple[Any, Any, Any]:
    """The labels, predictions and weights of a batch."""
    x, *rest = batch
    if not rest:
        raise ValueError(
            "`data` must have labels: a tuple (x, y), or batches of them. Received: "
            f"batches of type {type(x).__name__} alone."
        )
    y_pred = model.predict_on_batch(x)
    if isinstance(y_pred, (list, tuple, dict)) or isinstance(rest[0], (list, dict)):
        raise ValueError(
            "`model` must have one output, and `data` the labels of it. Received: "
            f"an output of type {type(y_pred).__name__}, labels of type "
            f"{type(rest[0]).__name__}. Pass `keras.Model(model.inputs, output)` and "
            "`data.map(lambda x, y: (x, y['mask']))`."
        )
    return rest[0], y_pred, rest[1] if len(rest) > 1 else None


def _tables(batch: Any, setting: Setting, thresholds: np.ndarray) -> np.ndarray:
    """The table `[[TN, FP], [FN, TP]]` of each image, threshold and sigmoid.

    Returns:
        NumPy float64 array `(N, T, S, 2, 2)`.
    """
    y_true, y_pred, sample_weight = batch
    scores, labeled, weights = _read(y_true, y_pred, sample_weight, setting)
    bounds = [score_of(threshold, setting.from_logits) for threshold in thresholds]
    # A score is above as many of the bounds as its bin is high.
    bins = np.searchsorted(np.asarray(bounds, scores.dtype), scores)
    size = len(bounds) + 1
    images, sigmoids = scores.shape[0], scores.shape[-1]
    cells = np.arange(images)[:, None, None] * sigmoids + np.arange(sigmoids)
    cells = (cells * 2 + labeled) * size + bins
    number = images * sigmoids * 2 * size
    counts = np.bincount(cells.ravel(), weights.ravel(), number)
    counts = counts.reshape(images, sigmoids, 2, size)
    below = counts.cumsum(axis=-1)[..., :-1]
    tables = np.stack([below, counts.sum(axis=-1, keepdims=True) - below], axis=-1)
    return np.moveaxis(tables, 3, 1)


def _read(
    y_true: Any, y_pred: Any, sample_weight: Any, setting: Setting
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, labels (0 or 1) and weights of the sigmoids, each `(N, P, S)`."""
    count(y_true, y_pred, sample_weight, setting, refuse_nan=True)  # raises
    (y_true, y_pred, _, mask), form = read_batch(y_true, y_pred, sample_weight, setting)
    if form.kind not in ("binary", "entries"):
        raise ValueError(
            "`best_threshold` needs the output of one sigmoid unit, or with "
            "multi_label=True of one for each class: of several scores the highest "
            "counts, and class ids have no threshold. Received: "
            f"y_pred.shape={tuple(y_pred.shape)}, num_classes={setting.num_classes}."
        )
    y_true, y_pred = as_tensor(y_true), wide(as_tensor(y_pred))
    labels = labels_of(y_true, y_pred, form, setting, check=False)
    if setting.multi_label:
        rows = class_rows(labels, setting.num_classes, form.axis) > 0.5
        labeled, scores = (ops.moveaxis(x, form.axis, -1) for x in (rows, y_pred))
    else:
        labeled = ops.expand_dims(class_ids(labels, form.axis) == 1, -1)
        scores = ops.reshape(y_pred, ops.shape(labeled))
    valid = ops.broadcast_to(ops.expand_dims(labels.valid, -1), ops.shape(labeled))
    if mask is not None:
        valid = ops.logical_and(valid, pixel_weights(mask, valid) > 0)
    if sample_weight is None:
        weights = ops.cast(valid, "float32")
    else:
        weights = entry_weights(sample_weight, valid, form.axis)
    shape = labeled.shape[0], -1, labeled.shape[-1]
    scores, labeled, weights = (
        to_numpy(x).reshape(shape) for x in (scores, labeled, weights)
    )
    return np.where(weights > 0, scores, 0), labeled.astype("int64"), weights


def _outcomes(tables: np.ndarray, multi_label: bool | None) -> list[np.ndarray]:
    """True positives, false positives and false negatives, `(T, C)` each."""
    (below, extra), (missed, correct) = (
        (tables[..., label, 0], tables[..., label, 1]) for label in (0, 1)
    )
    if multi_label:
        return [correct, extra, missed]
    pairs = [(below, correct), (missed, extra), (extra, missed)]
    return [np.concatenate(pair, axis=-1) for pair in pairs]


def _of_data_set(metric: ScoreMetric, tables: np.ndarray) -> np.ndarray:
    """The score at each threshold, from the tables of all images."""
    values = type(metric).score(*_outcomes(tables, metric.multi_label))
    counts = metric.wanted_classes() & ~np.isnan(values)
    return _mean(values, counts)


def _of_image(metric: ScoreMetric, tables: np.ndarray) -> np.ndarray | None:
    """The score of one image at each threshold; None if it has none."""
    correct, extra, missed = _outcomes(tables, metric.multi_label)
    values = type(metric).score(correct, extra, missed)
    counts = metric.wanted_classes() & (tables.sum(axis=(-2, -1)) > 0)
    if not metric.multi_label:
        present = counts & (correct + missed > 0)
        counts = present if present.any() else counts
    return (
        _mean(np.where(np.isnan(values), 1.0, values), counts) if counts.any() else None
    )


def _mean(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    number = counts.sum(axis=-1)
    total = np.where(counts, values, 0).sum(axis=-1)
    return np.where(number, total / np.maximum(number, 1), np.nan)


def _image_weights(batch: Any, tables: np.ndarray) -> np.ndarray:
    """The weight of each image in the mean: its sample weight, or 1."""
    ones = np.ones(len(tables))
    if len(batch) < 3:
        return ones
    weights = batch[2].astype("float64")
    if any(size != 1 for size in weights.shape[1:]):
        return ones
    return np.broadcast_to(weights.reshape(-1), ones.shape)
