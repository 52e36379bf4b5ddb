"""What the losses of regions share: sums over images or batches, means over classes."""

from typing import Any, NamedTuple

from keras import ops

from keras_trainfix.labels.weights import class_weight_vector

SCOPES = ("image", "batch")


class Regions(NamedTuple):
    """Weighted sums over the pixels of `U` units, images or the batch, `(U, C)` each.

    Attributes:
        overlap: Of labels times probabilities.
        predicted: Of probabilities, or of their squares.
        labelled: Of labels, or of their squares.
        size: Of ones, `(U, 1)`.
        weights: The weights of the units in the loss, `(U,)`.
    """

    overlap: Any
    predicted: Any
    labelled: Any
    size: Any
    weights: Any


def region_sums(pixels, scope="image", squared=False):
    """The `Regions` of a batch."""
    if squared:
        rows, probabilities = pixels.rows, pixels.probabilities
        overlap = pixels.image_sums(rows * probabilities)
        predicted = pixels.image_sums(probabilities**2)
        labelled = pixels.image_sums(rows**2)
    else:
        overlap, predicted, labelled = pixels.region_sums
    size = ops.sum(ops.sum(pixels.weights, axis=-1), axis=-1, keepdims=True)
    sums = (overlap, predicted, labelled, size)
    if scope == "batch":
        sums = tuple(ops.sum(part, axis=0, keepdims=True) for part in sums)
    weights = ops.cast(sums[-1][:, 0] > 0, size.dtype)
    if scope == "image" and pixels.sample_weight is not None:
        # They weigh the images in the loss, and cancel inside an image.
        factor = ops.where(pixels.sample_weight > 0, pixels.sample_weight, 1)
        sums = tuple(part / ops.expand_dims(factor, -1) for part in sums)
        weights = weights * pixels.sample_weight
    overlap, predicted, labelled, size = sums
    return Regions(overlap, predicted, labelled, size, weights)


def class_weights_of(pixels, class_weight, include_background):
    """The weights `(C,)` of the classes in the mean: 0 for one left out."""
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


def class_mean(pixels, values, present, class_weights, include_absent):
    """The weighted means `(U,)` over classes of values `(U, C)`.

    Of exclusive classes the absent ones are left out: a false positive of theirs is a
    false negative of another class. Where that leaves none they count after all, and
    so does each class that has a sigmoid of its own.

    Args:
        pixels: `Pixels` that the values are of.
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


def divide(numerator, denominator, otherwise=0.0):
    """The quotient, and where the denominator is 0 another value without gradient.

    So is one whose square, which the gradient divides by, leaves the range of float32.
    """
    is_zero = denominator < 1e-18
    quotient = numerator / ops.where(is_zero, 1, denominator)
    return ops.where(is_zero, otherwise, quotient)


def absent_loss(regions):
    """The loss of classes that no pixel has: their false positives among all pixels.

    Without smoothing the losses of regions are constant here: the first false
    positive costs as much as all, so that the gradient says nothing.
    """
    return divide(regions.predicted, regions.size)


def check_region(scope, smooth):
    """Raises on settings that all losses of regions have."""
    if scope not in SCOPES:
        raise ValueError(
            "`scope` must be 'image', a loss for each image, or 'batch', one over all "
            f"its pixels. Received: scope={scope!r}."
        )
    if not 0 <= smooth < float("inf"):
        raise ValueError(f"`smooth` must be 0 or more. Received: smooth={smooth}.")
