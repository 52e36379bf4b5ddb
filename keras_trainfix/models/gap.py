"""Measures how far training and inference of batch normalization are apart."""

import sys
import warnings
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_trainfix.backend import no_gradient, to_numpy
from keras_trainfix.data import input_batches
from keras_trainfix.models.batch_norm_layers import batch_norm_layers, plain_only
from keras_trainfix.models.batch_statistics import (
    Statistics,
    call_on_batch,
    observed,
    uses_batch_statistics,
)


@dataclass(frozen=True)
class LayerGap:
    """The gap of one layer.

    Attributes:
        name: String, the name of the layer.
        path: String, the path of the layer, unique in the model.
        channels: Integer, the number of channels.
        by_batch: Boolean, whether the layer normalizes with the statistics of the
            batch in training; False for frozen layers and for `trainable=False`.
        mean_shift: Float, `|batch mean - moving mean| / sqrt(moving variance +
            epsilon)`, root mean square over the channels: standard deviations.
        max_mean_shift: Float, the same for the channel with the largest value.
        std_ratio: Float, `sqrt((batch variance + epsilon) / (moving variance +
            epsilon))`, geometric mean over the channels; 1 is no gap.
    """

    name: str
    path: str
    channels: int
    by_batch: bool
    mean_shift: float
    max_mean_shift: float
    std_ratio: float


@dataclass(frozen=True, repr=False)
class BatchNormGap:
    """The gap of a model; its `str()` is a table.

    Attributes:
        layers: List of `LayerGap`, in the order of the layers in the model.
        output_gap: Float, the root mean square difference between the output with
            batch statistics and the output with moving statistics, in standard
            deviations of the output; the largest over the outputs. It is 0 if all
            layers are frozen, and about 1 if the two have nothing in common.
        changed_answers: Float, the share of positions whose arg-max over the channels
            differs between the two, the largest over the outputs; None if every output
            has one channel.
    """

    layers: list[LayerGap]
    output_gap: float
    changed_answers: float | None

    def __str__(self) -> str:
        if not self.layers:
            return "No batch normalization layer to measure."
        width = max(len(name) for name in ("layer", *(gap.name for gap in self.layers)))
        lines = [
            f"{'layer':<{width}}  channels  training uses  mean shift (max)  std ratio"
        ]
        for gap in self.layers:
            uses = "batch" if gap.by_batch else "moving"
            shift = f"{gap.mean_shift:.2f} ({gap.max_mean_shift:.2f})"
            lines.append(
                f"{gap.name:<{width}}  {gap.channels:>8}  {uses:>13}  "
                f"{shift:>16}  {gap.std_ratio:>9.2f}"
            )
        last = f"output: training and inference differ by {self.output_gap:.2g} std"
        if self.changed_answers is not None:
            last += f", in {self.changed_answers:.0%} of the answers"
        return "\n".join([*lines, last])

    def __repr__(self) -> str:
        return str(self)


def batch_norm_gap(model: keras.Layer, x: Any) -> BatchNormGap:
    """Measures how far batch normalization in training is from inference.

    For each batch normalization layer: how far the statistics of the batch `x` are
    from the moving statistics, in standard deviations. For the model: how much its
    output changes if the layers that normalize with the batch in training do so, with
    everything else (dropout, augmentation) in inference mode. The model, its
    statistics and the random state stay as they are.

    An output gap near 1 with a good training loss means that inference computes
    another function than the one that was trained: freeze the statistics before
    fine-tuning (`freeze_batch_norm`), or recompute them after training
    (`recalibrate_batch_norm`).

    Args:
        model: A built `keras.Model`, or any built layer.
        x: One batch of inputs, of the size used in training: an array of shape
            `(batch, ...)`, or a list or dict of arrays for several inputs. From a
            dataset the first batch is used.

    Returns:
        `BatchNormGap`: `.layers` (one `LayerGap` each), `.output_gap` and
        `.changed_answers`; printing it shows a table.

    Raises:
        TypeError: If `model` is not a Keras model or layer.
        ValueError: If the model is not built, or if `x` is empty, not finite, or
            does not fit the model.

    Examples:
        >>> import keras, numpy as np
        >>> model = keras.Sequential(
        ...     [keras.Input((2,)), keras.layers.BatchNormalization(name="bn")]
        ... )
        >>> x = np.array([[0.0, 9.0], [2.0, 11.0]], dtype="float32")
        >>> gap = batch_norm_gap(model, x)
        >>> round(gap.layers[0].max_mean_shift)  # mean 10, moving mean 0
        10

    Reference:
        [Wu and Johnson, 2021](https://arxiv.org/abs/2105.07576), sections 3 and 4.
    """
    found = batch_norm_layers(model)
    if not found:
        warnings.warn(
            f"Model '{model.name}' has no BatchNormalization layer: no gap to measure.",
            stacklevel=2,
        )
    found = plain_only(found, stacklevel=3)
    by_batch = [layer for layer in found if uses_batch_statistics(layer)]
    x = next(input_batches(x, batch_size=sys.maxsize, steps=1), None)
    if x is None or 0 in {leaf.shape[0] for leaf in keras.tree.flatten(x)}:
        raise ValueError(
            "`x` must contain at least one sample. Received: no sample. Pass one "
            "batch of inputs."
        )
    with observed(found, by_batch) as seen:
        training = call_on_batch(model, x, 0)
    with no_gradient():
        inference = call_on_batch(model, x, 0)
    gaps = [
        _layer_gap(layer, seen[id(layer)], layer in by_batch)
        for layer in found
        if id(layer) in seen
    ]
    pairs = [
        (_as_float64(a), _as_float64(b))
        for a, b in zip(
            keras.tree.flatten(training), keras.tree.flatten(inference), strict=True
        )
    ]
    changed = [
        float(np.mean(a.argmax(-1) != b.argmax(-1)))
        for a, b in pairs
        if a.ndim > 1 and a.shape[-1] > 1
    ]
    return BatchNormGap(
        gaps,
        output_gap=max(_output_gap(a, b) for a, b in pairs),
        changed_answers=max(changed, default=None),
    )


def _layer_gap(layer: keras.Layer, batch: Statistics, by_batch: bool) -> LayerGap:
    mean = _as_float64(layer.moving_mean)
    variance = _as_float64(layer.moving_variance) + layer.epsilon
    shift = np.abs(batch.mean - mean) / np.sqrt(variance)
    log_ratio = np.log((batch.variance + layer.epsilon) / variance) / 2
    return LayerGap(
        name=layer.name,
        path=layer.path,
        channels=len(mean),
        by_batch=by_batch,
        mean_shift=float(np.sqrt(np.mean(shift**2))),
        max_mean_shift=float(shift.max()),
        std_ratio=float(np.exp(log_ratio.mean())),
    )


def _output_gap(training: np.ndarray, inference: np.ndarray) -> float:
    spread = max(training.std(), inference.std())
    difference = np.sqrt(np.mean((training - inference) ** 2))
    return float(difference / spread) if spread else float(difference > 0)


def _as_float64(tensor: Any) -> np.ndarray:
    return to_numpy(tensor).astype("float64")
