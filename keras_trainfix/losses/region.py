"""Shared by the region losses: sums over images or the batch, means over classes."""

from collections.abc import Sequence
from typing import NamedTuple

from keras import ops

from keras_trainfix.labels.types import ClassWeight, Tensor
from keras_trainfix.labels.weights import class_weight_vector
from keras_trainfix.losses.pixels import Pixels

SCOPES = ("image", "batch")


class Regions(NamedTuple):
    """Weighted sums over the pixels of `U` units, images or the batch, `(U, C)` each.

    Attributes:
        overlap: Sums of labels times probabilities.
        predicted: Sums of probabilities, or of their squares.
        labeled: Sums of labels, or of their squares.
        size: Sums of ones, `(U, 1)`.
        weights: The weights of the units in the loss, `(U,)`.
    """

    overlap: Tensor
    predicted: Tensor
    labeled: Tensor
    size: Tensor
    weights: Tensor


def region_sums(pixels: Pixels, scope: str = "image", squared: bool = False) -> Regions:
    """The `Regions` of a batch."""
    if squared:
        rows, probabilities = pixels.rows, pixels.probabilities
        overlap = pixels.image_sums(rows * probabilities)
        predicted = pixels.image_sums(probabilities**2)
        labeled = pixels.image_sums(rows**2)
    else:
        overlap, predicted, labeled = pixels.region_sums
    sums, weights = in_units(pixels, (overlap, predicted, labeled), scope)
    overlap, predicted, labeled, size = sums
    return Regions(overlap, predicted, labeled, size, weights)


def in_units(
    pixels: Pixels, sums: Sequence[Tensor], scope: str
) -> tuple[list[Tensor], Tensor]:
    """Sums over images as sums over units, images or the batch.

    Args:
        pixels: The `Pixels` that `sums` belong to.
        sums: Weighted sums over images, `(N, C)` each.
        scope: `"image"` or `"batch"`.

    Returns:
        The sums `(U, C)` and the sum of ones `(U, 1)`, as a list, and the weights of
        the units in the loss, `(U,)`.
    """
    size = ops.sum(ops.sum(pixels.weights, axis=-1), axis=-1, keepdims=True)
    parts = [*sums, size]
    if scope == "batch":
        parts = [ops.sum(part, axis=0, keepdims=True) for part in parts]
    weights = ops.cast(parts[-1][:, 0] > 0, size.dtype)
    if scope == "image" and pixels.sample_weight is not None:
        # Sample weights weigh images in the loss, and cancel inside an image.
        factor = ops.where(pixels.sample_weight > 0, pixels.sample_weight, 1)
        parts = [part / ops.expand_dims(factor, -1) for part in parts]
        weights = weights * pixels.sample_weight
    return parts, weights


def class_weights_of(
    pixels: Pixels, class_weight: ClassWeight, include_background: bool
) -> Tensor:
    """The weights `(C,)` of the classes in the mean; 0 for a class left out."""
    number = pixels.num_classes
    if class_weight is None:
        weights = [1.0] * number
    elif number == 1:
        weights = class_weight_vector(class_weight, 2)[1:].tolist()
    else:
        weights = class_weight_vector(class_weight, number).tolist()
    if not include_background and number > 1:
        weights[0] = 0.0
    return ops.cast(ops.convert_to_tensor(weights), pixels.weights.dtype)


def class_shares(
    pixels: Pixels, class_weight: ClassWeight, include_background: bool
) -> Tensor:
    """The shares `(C,)` of the classes in the mean: they sum to 1, or are all 0."""
    weights = class_weights_of(pixels, class_weight, include_background)
    total = ops.sum(weights)
    return weights / ops.where(total > 0, total, 1)


def class_mean(
    pixels: Pixels,
    values: Tensor,
    present: Tensor,
    class_weights: Tensor,
    include_absent: bool,
) -> Tensor:
    """The weighted means `(U,)` over classes of values `(U, C)`.

    Absent classes are left out if classes are exclusive: their false positives are
    false negatives of other classes. They count if no other class is left, or if each
    class has its own sigmoid.

    Args:
        pixels: The `Pixels` that `values` belong to.
        values: Float tensor `(U, C)`.
        present: Boolean tensor `(U, C)`.
        class_weights: Float tensor `(C,)`.
        include_absent: Whether all classes count.
    """
    weights = ops.broadcast_to(class_weights, ops.shape(values))
    if pixels.exclusive and not include_absent:
        of_present = ops.where(present, weights, 0)
        has_any = ops.any(of_present > 0, axis=-1, keepdims=True)
        weights = ops.where(has_any, of_present, weights)
    return divide(ops.sum(weights * values, axis=-1), ops.sum(weights, axis=-1))


def divide(numerator: Tensor, denominator: Tensor, otherwise: float = 0.0) -> Tensor:
    """The quotient; where the denominator is 0, another value without gradient.

    A denominator counts as 0 if its square, by which the gradient divides, underflows
    in float32.
    """
    is_zero = denominator < 1e-18
    quotient = numerator / ops.where(is_zero, 1, denominator)
    return ops.where(is_zero, otherwise, quotient)


def absent_loss(regions: Regions) -> Tensor:
    """The loss of absent classes: the share of pixels that are their false positives.

    Without smoothing, region losses are constant for an absent class: one false
    positive costs as much as any number, and there is no gradient.
    """
    return divide(regions.predicted, regions.size)


def check_region(scope: str, smooth: float) -> None:
    """Raises on invalid settings that all region losses have."""
    if scope not in SCOPES:
        raise ValueError(
            "`scope` must be 'image', one loss per image, or 'batch', one over all "
            f"pixels of the batch. Received: scope={scope!r}."
        )
    if not 0 <= smooth < float("inf"):
        raise ValueError(f"`smooth` must be 0 or more. Received: smooth={smooth}.")
