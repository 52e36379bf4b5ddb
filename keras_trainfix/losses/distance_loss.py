"""What the losses of distances share: maps of distances beside the labels."""

from collections.abc import Iterable

import numpy as np
from keras import ops

from keras_trainfix.distances import Spacing
from keras_trainfix.labels import LabelError
from keras_trainfix.labels.shapes import shapes_fit, static_shape
from keras_trainfix.labels.types import Tensor
from keras_trainfix.losses.masked_loss import MaskedLoss
from keras_trainfix.losses.pixels import Pixels
from keras_trainfix.losses.spatial import as_rows, check_spatial
from keras_trainfix.losses.squared_distances import boundary_distances


class DistanceLoss(MaskedLoss):
    """Base of losses of distances to the boundaries of the labels.

    The maps of `signed_distance` may follow the labels in `y_true`, on the class axis.
    """

    def read(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        needed: Iterable[str] | None = None,
    ) -> Pixels:
        y_pred = y_pred if ops.is_tensor(y_pred) else np.asarray(y_pred)
        labels, maps = split_maps(y_true, y_pred, self.axis)
        pixels = super().read(labels, y_pred, sample_weight, needed)
        check_spatial(pixels)
        if maps is not None:
            if self.axis not in (-1, len(maps.shape) - 1):
                maps = ops.moveaxis(maps, self.axis, -1)
            maps = ops.cast(maps, pixels.weights.dtype)
            valid = ops.expand_dims(pixels.valid, -1)
            pixels.distances = ops.where(valid, as_rows(pixels, maps), 0)
        return pixels


def split_maps(
    y_true: Tensor, y_pred: Tensor, axis: int
) -> tuple[Tensor, Tensor | None]:
    """The labels in `y_true`, and the maps of distances behind them, or None.

    Raises:
        ValueError: If the number of maps is not that of the classes.
    """
    y_true = y_true if ops.is_tensor(y_true) else np.asarray(y_true)
    shape, predictions = static_shape(y_true.shape), static_shape(y_pred.shape)
    rank = len(predictions)
    if len(shape) != rank or not -rank <= axis < rank:
        return y_true, None
    axis %= rank
    channels, number = predictions[axis], shape[axis]
    pixels = predictions[:axis] + predictions[axis + 1 :]
    fits = shapes_fit(shape[:axis] + shape[axis + 1 :], pixels)
    if not fits or channels is None or number in (1, channels, None):
        return y_true, None
    if number not in (1 + channels, 2 * channels):
        raise LabelError(
            "`y_true` must be labels, or labels followed by one distance map for each "
            f"of the {channels} classes: {1 + channels} channels with sparse labels, "
            f"{2 * channels} with one-hot labels. Received: y_true.shape={shape}, "
            f"y_pred.shape={predictions}, axis={axis}. Make the maps with "
            f"`signed_distance(y, num_classes={channels})`."
        )
    before = (slice(None),) * axis
    first = number - channels
    return y_true[(*before, slice(first))], y_true[(*before, slice(first, None))]


def signed_distances(pixels: Pixels, spacing: Spacing) -> Tensor:
    """The signed distances to the boundaries of the labels, `(N, K, L, C)`."""
    if pixels.distances is not None:
        return pixels.distances
    masks = ops.cast(pixels.one_hot, "bool")
    distances = ops.sqrt(boundary_distances(pixels, masks, spacing))
    return ops.where(masks, -distances, distances)
