"""Boundary loss that leaves void pixels out."""

from typing import Any

import keras
from keras import ops

from keras_trainfix.distances import Spacing, checked_spacing
from keras_trainfix.labels.types import ClassWeight, IgnoreClass, Tensor
from keras_trainfix.losses.distance_loss import (
    DistanceLoss,
    signed_distances,
)
from keras_trainfix.losses.masked_loss import function_of
from keras_trainfix.losses.pixels import Pixels
from keras_trainfix.losses.region import class_shares


def boundary_values(
    pixels: Pixels,
    class_weight: ClassWeight,
    include_background: bool,
    spacing: Spacing,
) -> tuple[Tensor, Tensor]:
    """The losses and weights of pixels, both `(N, K, L)`."""
    shares = class_shares(pixels, class_weight, include_background)
    distances = signed_distances(pixels, spacing)
    return ops.sum(shares * distances * pixels.probabilities, axis=-1), pixels.weights


@keras.saving.register_keras_serializable(package="keras_trainfix")
class MaskedBoundary(DistanceLoss):
    """Boundary loss averaged over the pixels that are not void.

    With `d` the signed distance of a pixel to the boundary of a class in the labels,
    negative inside, and `p` the probability of the class, it is the mean of `d * p`
    over classes and valid pixels. A false positive costs as much as it is far from the
    class, however small the class is. The minimum is below 0.

    On its own it may be stuck at empty masks, and classes without a boundary in an
    image, because they have no pixel there or all of them, do not count there. Add
    `MaskedSoftDice` with `WeightedSum`, and let the weight of this loss rise slowly
    with `WeightSchedule`, as the paper does.

    Void pixels create no boundary, as it is unknown what is there. Predictions under
    void, NaN included, change neither the value nor the gradient. A batch without a
    valid pixel gives 0 and a zero gradient.

    The distances are computed in the loss, exactly, in time that grows with the size
    of images. To compute them once instead, append those of `signed_distance` to the
    labels.

    Args:
        ignore_class: Integer, tuple of integers, or None: the ids of void, inside or
            outside the range of the classes. Defaults to `255`.
        from_logits: Whether predictions are logits. Defaults to `False`.
        class_weight: List or array with one weight per class, a dict from class to
            weight (missing classes weigh 1), or None: the weights of the mean over
            classes, which are normalized. A single sigmoid unit has classes 0 and 1.
        include_background: Whether class 0 counts, if there are several. Defaults to
            `False`: its boundaries are those of the others.
        spacing: Float or a sequence of floats above 0, one for each axis of the
            images: the distance between neighboring pixels. Defaults to None, 1.
        multi_label: Whether each class has its own sigmoid. Defaults to `False`: a
            softmax, or a sigmoid if there is one channel.
        axis: Integer, the class axis of the predictions. Defaults to `-1`.
        reduction: String of `keras.losses`, or None. Defaults to
            `"sum_over_batch_size"`, the weighted mean over pixels; `"sum"`; `"none"` or
            None for the values of pixels.
        name: String, the name of the loss.
        dtype: Dtype of the result. The arithmetic is float32 or wider.

    Call arguments:
        y_true: Labels of images or volumes: sparse `(N, ...)` or `(N, ..., 1)`, one-hot
            or soft `(N, ..., C)`; or `(N, ..., 1 + C)` or `(N, ..., 2 * C)`, the same
            followed by the maps of `signed_distance`. Soft labels are read as hard.
        y_pred: Predictions, `(N, H, W, C)` or `(N, D, H, W, C)`; a single channel is a
            sigmoid's.
        sample_weight: Weights that broadcast from the left. A pixel of weight 0 is
            void.

    Raises:
        ValueError: If an argument is out of range; if labels, maps, weights and
            predictions do not fit, or are neither images nor volumes; in eager mode,
            if a label is neither a class nor ignored, or if `y_pred` are not
            probabilities and `from_logits=False`. In compiled code an invalid label
            makes the value NaN.

    Examples:
        >>> labels = np.array([[[0, 0, 1, 255]]])
        >>> found = np.float32([[[[0.5], [0.0], [1.0], [np.nan]]]])
        >>> loss = MaskedBoundary()
        >>> float(loss(labels, found))  # (2 * 0.5 + 1 * 0.0 - 1 * 1.0) / 3
        0.0

    Reference:
        [Kervadec et al., 2019](https://arxiv.org/abs/1812.07032).
    """

    core = staticmethod(boundary_values)
    may_be_negative = True

    def __init__(
        self,
        ignore_class: IgnoreClass = 255,
        from_logits: bool = False,
        class_weight: ClassWeight = None,
        include_background: bool = False,
        spacing: Spacing = None,
        multi_label: bool = False,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "masked_boundary",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            *(ignore_class, from_logits, class_weight, multi_label, axis),
            *(reduction, name, dtype),
            include_background=include_background,
            spacing=checked_spacing(spacing),
        )


@keras.saving.register_keras_serializable(package="keras_trainfix")
@function_of(MaskedBoundary)
def masked_boundary(
    y_true: Tensor,
    y_pred: Tensor,
    ignore_class: IgnoreClass = 255,
    from_logits: bool = False,
    class_weight: ClassWeight = None,
    include_background: bool = False,
    spacing: Spacing = None,
    multi_label: bool = False,
    axis: int = -1,
    sample_weight: Tensor | None = None,
    reduction: str | None = "sum_over_batch_size",
) -> Tensor:
    """Boundary loss averaged over valid pixels, for custom training steps.

    `MaskedBoundary` as a function; its settings are described there. The result is
    float32 or wider under any dtype policy.

    Args:
        y_true: Labels, with or without maps of distances, see `MaskedBoundary`.
        y_pred: Predictions of shape `(N, H, W, C)` or `(N, D, H, W, C)`.
        sample_weight: Weights of samples `(N,)` or of pixels `(N, ...)`, or None.

    Returns:
        Scalar tensor; with `reduction="none"` one of the pixel shape.

    Raises:
        ValueError: As `MaskedBoundary`.

    Examples:
        >>> labels = np.array([[[0, 0, 1]]])
        >>> perfect = np.float32(labels)[..., None]
        >>> round(float(masked_boundary(labels, perfect)), 4)
        -0.3333
    """
