"""Hausdorff distance loss that leaves void pixels out."""

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
from keras_trainfix.losses.squared_distances import boundary_distances


def hausdorff_values(
    pixels: Pixels,
    class_weight: ClassWeight,
    include_background: bool,
    alpha: float,
    spacing: Spacing,
) -> tuple[Tensor, Tensor]:
    """The losses and weights of pixels, both `(N, K, L)`."""
    shares = class_shares(pixels, class_weight, include_background)
    masks = ops.stop_gradient(pixels.probabilities) > 0.5
    squared = boundary_distances(pixels, masks, spacing)
    distances = ops.abs(signed_distances(pixels, spacing)) ** alpha
    distances = distances + squared ** (alpha / 2)
    errors = (pixels.probabilities - pixels.rows) ** 2
    return ops.sum(shares * errors * distances, axis=-1), pixels.weights


@keras.saving.register_keras_serializable(package="keras_trainfix")
class MaskedHausdorff(DistanceLoss):
    """Hausdorff distance loss averaged over the pixels that are not void.

    With `t` the label and `p` the probability of a class at a pixel, `d` its distance
    to the boundary of the class in the labels, and `e` that to the boundary in the
    prediction, where `p` is above one half, it is the mean of

        (p - t) ** 2 * (d ** alpha + e ** alpha)

    over classes and valid pixels: an estimate of the Hausdorff distance with a gradient
    at each wrong pixel, since errors cost the more the farther they are from a
    boundary. `d` and `e` are constants for the gradient.

    A mask without a boundary, because it is empty or full, has no distances. If neither
    labels nor prediction of a class have one, it does not count: add `MaskedSoftDice`
    with `WeightedSum`. Distances are in pixels and get large; the paper weighs the loss
    such that it is as large as the other one. `WeightSchedule` can do that.

    Void is treated as in `MaskedBoundary`. The distances are exact and computed in the
    loss, in time that grows with the size of images. Those of the labels can be
    appended to the labels, see `signed_distance`; those of the prediction change with
    every step.

    Args:
        ignore_class: Integer, tuple of integers, or None: the ids of void, inside or
            outside the range of the classes. Defaults to `255`.
        from_logits: Whether predictions are logits. Defaults to `False`.
        class_weight: List or array with one weight per class, a dict from class to
            weight (missing classes weigh 1), or None: the weights of the mean over
            classes, which are normalized. A single sigmoid unit has classes 0 and 1.
        include_background: Whether class 0 counts, if there are several. Defaults to
            `False`: its boundaries are those of the others.
        alpha: Float above 0: how much more far errors cost. Defaults to `2.0`.
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
        y_true: Labels, with or without maps of distances, as in `MaskedBoundary`.
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
        >>> labels = np.array([[[1, 0, 0, 0]]])
        >>> found = np.float32([[[[1.0], [0.0], [0.0], [1.0]]]])
        >>> loss = MaskedHausdorff()
        >>> float(loss(labels, found))  # 3 pixels from the labels: (3**2 + 1**2) / 4
        2.5

    Reference:
        [Karimi and Salcudean, 2019](https://arxiv.org/abs/1904.10030), the form with
        distance transforms.
    """

    core = staticmethod(hausdorff_values)

    def __init__(
        self,
        ignore_class: IgnoreClass = 255,
        from_logits: bool = False,
        class_weight: ClassWeight = None,
        include_background: bool = False,
        alpha: float = 2.0,
        spacing: Spacing = None,
        multi_label: bool = False,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "masked_hausdorff",
        dtype: Any = None,
    ) -> None:
        if not 0 < alpha < float("inf"):
            raise ValueError(f"`alpha` must be above 0. Received: alpha={alpha}.")
        super().__init__(
            *(ignore_class, from_logits, class_weight, multi_label, axis),
            *(reduction, name, dtype),
            include_background=include_background,
            alpha=alpha,
            spacing=checked_spacing(spacing),
        )


@keras.saving.register_keras_serializable(package="keras_trainfix")
@function_of(MaskedHausdorff)
def masked_hausdorff(
    y_true: Tensor,
    y_pred: Tensor,
    ignore_class: IgnoreClass = 255,
    from_logits: bool = False,
    class_weight: ClassWeight = None,
    include_background: bool = False,
    alpha: float = 2.0,
    spacing: Spacing = None,
    multi_label: bool = False,
    axis: int = -1,
    sample_weight: Tensor | None = None,
    reduction: str | None = "sum_over_batch_size",
) -> Tensor:
    """Hausdorff distance loss over valid pixels, for custom training steps.

    `MaskedHausdorff` as a function; its settings are described there. The result is
    float32 or wider under any dtype policy.

    Args:
        y_true: Labels, with or without maps of distances, see `MaskedBoundary`.
        y_pred: Predictions of shape `(N, H, W, C)` or `(N, D, H, W, C)`.
        sample_weight: Weights of samples `(N,)` or of pixels `(N, ...)`, or None.

    Returns:
        Scalar tensor; with `reduction="none"` one of the pixel shape.

    Raises:
        ValueError: As `MaskedHausdorff`.

    Examples:
        >>> labels = np.array([[[1, 0, 0, 0]]])
        >>> unsure = np.full((1, 1, 4, 1), 0.5, "float32")
        >>> float(masked_hausdorff(labels, unsure))  # 0.25 * (1 + 1 + 4 + 9) / 4
        0.9375
    """
