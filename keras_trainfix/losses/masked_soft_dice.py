"""Soft Dice loss that leaves void pixels out."""

import math
from typing import Any

import keras
from keras import ops

from keras_trainfix.labels.types import ClassWeight, IgnoreClass, Tensor
from keras_trainfix.losses.masked_loss import MaskedLoss, function_of
from keras_trainfix.losses.pixels import Pixels
from keras_trainfix.losses.region import (
    Regions,
    absent_loss,
    check_region,
    class_mean,
    class_weights_of,
    divide,
    region_sums,
)

GENERALIZED = {"square": 2, "simple": 1, "uniform": 0}


def soft_dice_values(
    pixels: Pixels,
    class_weight: ClassWeight,
    scope: str,
    include_background: bool,
    include_absent: bool,
    squared: bool,
    generalized: str | None,
    log_cosh: bool,
    smooth: float,
) -> tuple[Tensor, Tensor]:
    """The losses and weights of images, both `(N,)`; of the batch, `(1,)`."""
    regions = region_sums(pixels, scope, squared)
    weights = class_weights_of(pixels, class_weight, include_background)
    present = regions.labeled > 0
    total = regions.labeled + regions.predicted
    if generalized:
        values = _generalized(regions, total, present, weights, generalized, smooth)
    elif smooth:
        values = 1 - (2 * regions.overlap + smooth) / (total + smooth)
    else:
        values = 1 - divide(2 * regions.overlap, total)
    if generalized or not smooth:
        values = ops.where(present, values, absent_loss(regions))
    values = class_mean(pixels, values, present, weights, include_absent)
    if log_cosh:
        # log(cosh(x)) without the overflow of cosh.
        values = values + ops.softplus(-2 * values) - math.log(2)
    return values, regions.weights


def _generalized(
    regions: Regions,
    total: Tensor,
    present: Tensor,
    class_weights: Tensor,
    kind: str,
    smooth: float,
) -> Tensor:
    """The loss of all present classes together, `(U, 1)`."""
    counts = ops.logical_and(present, class_weights > 0)
    smallest = ops.where(counts, regions.labeled, float("inf"))
    smallest = ops.min(smallest, axis=-1, keepdims=True)
    relative = divide(smallest, ops.where(counts, regions.labeled, 0))
    weights = ops.where(counts, class_weights * relative ** GENERALIZED[kind], 0)
    overlap = 2 * ops.sum(weights * regions.overlap, axis=-1, keepdims=True)
    total = ops.sum(weights * total, axis=-1, keepdims=True)
    return 1 - divide(overlap + smooth, total + smooth)


@keras.saving.register_keras_serializable(package="keras_trainfix")
class MaskedSoftDice(MaskedLoss):
    """Soft Dice loss over the pixels that are not void.

    For a class with labels `t` and probabilities `p` it is, summed over valid pixels,

        1 - (2 * sum(t * p) + smooth) / (sum(t) + sum(p) + smooth)

    averaged over classes, then over images. Predictions under void, NaN included,
    change neither the value nor the gradient. Images without a valid pixel are left
    out of the average, and a batch without one gives 0 and a zero gradient. A perfect
    prediction gives 0 whichever classes are absent.

    Classes absent from an image are left out of the mean: their false positives
    already count as false negatives of the others. They do count where classes are
    not exclusive (one sigmoid unit, or `multi_label=True`) or where no other class is
    left. Without smoothing, the loss of an absent class is then the share of valid
    pixels predicted as it, so that an empty mask has a gradient against its false
    positives.

    Args:
        ignore_class: Integer, tuple of integers, or None: the ids of void, inside or
            outside the range of the classes. Defaults to `255`.
        from_logits: Whether predictions are logits. Defaults to `False`.
        class_weight: List or array with one weight per class, a dict from class to
            weight (missing classes weigh 1), or None: the weights of the mean over
            classes, which are normalized. A single sigmoid unit has classes 0 and 1.
        scope: `"image"`, one loss per image, or `"batch"`, one over the pixels of all
            images (under `tf.distribute`, of a replica). Defaults to `"image"`.
        include_background: Whether class 0 counts. Without it, nothing penalizes
            false positives of an absent class on the background: add
            `MaskedCrossentropy`, or pass `include_absent=True`. Defaults to `True`.
        include_absent: Whether absent classes count in the mean. Defaults to `False`.
        squared: Whether to use `sum(t**2) + sum(p**2)`, as in V-Net. Defaults to
            `False`.
        generalized: One ratio of sums over the present classes instead of the mean of
            their ratios, with classes weighted by their inverse size relative to the
            smallest: `"square"` (`1/sum(t)**2`), `"simple"` (`1/sum(t)`) or
            `"uniform"`. Defaults to None, the mean.
        log_cosh: Whether to take `log(cosh(loss))` of each image. Defaults to
            `False`.
        smooth: Float, 0 or more, added to numerator and denominator. Not needed to
            avoid a division by 0. Defaults to `0.0`.
        multi_label: Whether each class has its own sigmoid. Defaults to `False`: a
            softmax, or a sigmoid if there is one channel.
        axis: Integer, the class axis of the predictions. Defaults to `-1`.
        reduction: String of `keras.losses`, or None. Defaults to
            `"sum_over_batch_size"`, the weighted mean over images; `"sum"`; `"none"`
            or None for the values of images.
        name: String, the name of the loss.
        dtype: Dtype of the result. The arithmetic is float32 or wider.

    Call arguments:
        y_true: Labels: sparse `(N, ...)` or `(N, ..., 1)`, one-hot or soft
            `(N, ..., C)`, of any integer or float dtype that holds them.
        y_pred: Predictions, `(N, ..., C)`; a single channel is a sigmoid's.
        sample_weight: Weights that broadcast from the left. Sample weights `(N,)`
            weigh the images in the mean; pixel weights `(N, ...)` weigh the terms of
            the sums. A pixel of weight 0 is void.

    Raises:
        ValueError: If an argument is out of range; if labels, weights and predictions
            do not fit; in eager mode, if a label is neither a class nor ignored, or
            if `y_pred` are not probabilities and `from_logits=False`. In compiled
            code an invalid label makes the value NaN.

    Examples:
        >>> loss = MaskedSoftDice(from_logits=True)
        >>> labels = np.array([[0, 255, 1]])
        >>> logits = np.array([[[99.0, 0.0], [0.0, 99.0], [0.0, 99.0]]])
        >>> float(loss(labels, logits))
        0.0

    Reference:
        [Milletari et al., 2016](https://arxiv.org/abs/1606.04797); generalized Dice:
        [Sudre et al., 2017](https://arxiv.org/abs/1707.03237); log-cosh:
        [Jadon, 2020](https://arxiv.org/abs/2006.14822).
    """

    core = staticmethod(soft_dice_values)
    needed = ("region",)

    def __init__(
        self,
        ignore_class: IgnoreClass = 255,
        from_logits: bool = False,
        class_weight: ClassWeight = None,
        scope: str = "image",
        include_background: bool = True,
        include_absent: bool = False,
        squared: bool = False,
        generalized: str | bool | None = None,
        log_cosh: bool = False,
        smooth: float = 0.0,
        multi_label: bool = False,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "masked_soft_dice",
        dtype: Any = None,
    ) -> None:
        check_region(scope, smooth)
        super().__init__(
            *(ignore_class, from_logits, class_weight, multi_label, axis),
            *(reduction, name, dtype),
            scope=scope,
            include_background=include_background,
            include_absent=include_absent,
            squared=squared,
            generalized=_kind(generalized),
            log_cosh=log_cosh,
            smooth=smooth,
        )


@keras.saving.register_keras_serializable(package="keras_trainfix")
@function_of(MaskedSoftDice)
def masked_soft_dice(
    y_true: Tensor,
    y_pred: Tensor,
    ignore_class: IgnoreClass = 255,
    from_logits: bool = False,
    class_weight: ClassWeight = None,
    scope: str = "image",
    include_background: bool = True,
    include_absent: bool = False,
    squared: bool = False,
    generalized: str | bool | None = None,
    log_cosh: bool = False,
    smooth: float = 0.0,
    multi_label: bool = False,
    axis: int = -1,
    sample_weight: Tensor | None = None,
    reduction: str | None = "sum_over_batch_size",
) -> Tensor:
    """Soft Dice loss over valid pixels, for custom training steps.

    `MaskedSoftDice` as a function; its settings are described there. The result is
    float32 or wider under any dtype policy. It can be differentiated once, with
    respect to `y_pred`.

    Args:
        y_true: Labels, see `MaskedSoftDice`.
        y_pred: Predictions of shape `(N, ..., C)`.
        sample_weight: Weights of samples `(N,)` or of pixels `(N, ...)`, or None.

    Returns:
        Scalar tensor; with `reduction="none"` one of shape `(N,)`, or `(1,)` if also
        `scope="batch"`.

    Raises:
        ValueError: As `MaskedSoftDice`.

    Examples:
        >>> labels = np.array([[0, 255, 1]])
        >>> probabilities = np.array([[[0.5, 0.5], [np.nan, 7.0], [0.5, 0.5]]])
        >>> float(masked_soft_dice(labels, probabilities))  # 1 - 2 * 0.5 / (1 + 1)
        0.5
    """


def _kind(generalized: str | bool | None) -> str | None:
    """The kind of generalized Dice, or None; True is its original, `"square"`."""
    kind = "square" if generalized is True else generalized or None
    if kind not in (None, *GENERALIZED):
        raise ValueError(
            f"`generalized` must be one of {sorted(GENERALIZED)}, or None. Received: "
            f"generalized={generalized!r}."
        )
    return kind
