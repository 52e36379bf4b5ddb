"""Soft Dice that leaves void pixels out."""

import math

import keras
from keras import ops

from keras_trainfix.losses.masked_loss import MaskedLoss, reduce_loss
from keras_trainfix.losses.pixels import Pixels
from keras_trainfix.losses.region import (
    absent_loss,
    check_region,
    class_mean,
    class_weights_of,
    divide,
    region_sums,
)

GENERALIZED = {"square": 2, "simple": 1, "uniform": 0}


@keras.saving.register_keras_serializable(package="keras_trainfix")
def masked_soft_dice(
    y_true,
    y_pred,
    ignore_class=255,
    from_logits=False,
    class_weight=None,
    scope="image",
    include_background=True,
    include_absent=False,
    squared=False,
    generalized=None,
    log_cosh=False,
    smooth=0.0,
    multi_label=False,
    axis=-1,
    sample_weight=None,
    reduction="sum_over_batch_size",
):
    """Soft Dice loss over valid pixels, for custom training steps.

    The function of `MaskedSoftDice`, which describes what it computes. Its result is
    float32 or wider under any dtype policy. It can be differentiated once, with
    respect to `y_pred`.

    Args:
        y_true: Labels, see `MaskedSoftDice`.
        y_pred: Predictions of shape `(N, ..., C)`.
        ignore_class: Integer, tuple of integers, or None: ids of void.
        from_logits: Whether `y_pred` are logits.
        class_weight: List, array or dict of the weights of classes, or None.
        scope: `"image"` or `"batch"`.
        include_background: Whether class 0 counts.
        include_absent: Whether classes without a pixel count.
        squared: Whether the denominator holds squares.
        generalized: None, `"square"`, `"simple"` or `"uniform"`.
        log_cosh: Whether to take `log(cosh(loss))`.
        smooth: Float, 0 or more.
        multi_label: Whether each class has a sigmoid of its own.
        axis: Integer, the class axis of `y_pred`.
        sample_weight: Weights of samples `(N,)` or of pixels `(N, ...)`, or None.
        reduction: String of `keras.losses`, or None. Defaults to
            `"sum_over_batch_size"`, the weighted mean over images.

    Returns:
        Scalar tensor; with `reduction="none"` one of shape `(N,)`, for
        `scope="batch"` `(1,)`.

    Raises:
        ValueError: As `MaskedSoftDice`.

    Examples:
        >>> labels = np.array([[0, 255, 1]])
        >>> probabilities = np.array([[[0.5, 0.5], [np.nan, 7.0], [0.5, 0.5]]])
        >>> float(masked_soft_dice(labels, probabilities))  # 1 - 2 * 0.5 / (1 + 1)
        0.5
    """
    generalized = _check(scope, smooth, squared, generalized)
    pixels = Pixels(
        y_true,
        y_pred,
        sample_weight,
        ignore_class,
        from_logits,
        multi_label,
        axis,
        needed=("region",),
    )
    values, weights = soft_dice_values(
        pixels,
        class_weight,
        scope,
        include_background,
        include_absent,
        squared,
        generalized,
        log_cosh,
        smooth,
    )
    return reduce_loss(pixels, values, weights, reduction)


@keras.saving.register_keras_serializable(package="keras_trainfix")
class MaskedSoftDice(MaskedLoss):
    """Soft Dice loss over the pixels that are not void.

    Of a class with labels `t` and probabilities `p` it is, summed over valid pixels,

        1 - (2 * sum(t * p) + smooth) / (sum(t) + sum(p) + smooth)

    then averaged over classes, then over images. What a model predicts under void,
    NaN included, changes neither the value nor the gradient; images without a valid
    pixel are left out of the average, and a batch without one gives 0 and a zero
    gradient. A perfect prediction gives 0 whichever classes are absent.

    Classes that no pixel of the image has are left out of the mean: what they are
    predicted is missing from the other classes. Where classes are not exclusive (one
    sigmoid unit, or `multi_label=True`), or no other class is left, they count, and
    without smoothing as the share of all valid pixels that they are predicted in: so
    an empty mask has a gradient against its false positives.

    Args:
        ignore_class: Integer, tuple of integers, or None: the ids of void, inside or
            outside the range of the classes. Defaults to `255`.
        from_logits: Whether predictions are logits. Defaults to `False`.
        class_weight: List or array with one weight a class, a dict from class to
            weight (classes left out weigh 1), or None: the weights of the mean over
            classes, which are normalized. Of one sigmoid unit, classes are 0 and 1.
        scope: `"image"`, a loss for each image, or `"batch"`, one over the pixels of
            all (under `tf.distribute`, all of a replica). Defaults to `"image"`.
        include_background: Whether class 0 counts. Without it, false positives of an
            absent class on the background go unseen: add `MaskedCrossentropy`, or
            pass `include_absent=True`. Defaults to `True`.
        include_absent: Whether absent classes count in the mean. Defaults to `False`.
        squared: Whether to use `sum(t**2) + sum(p**2)`, as in V-Net. Defaults to
            `False`.
        generalized: One ratio of sums over the present classes in place of theirs, with
            the classes weighted by their inverse size, relative to that of the
            smallest: `"square"` (`1/sum(t)**2`), `"simple"` (`1/sum(t)`) or
            `"uniform"`. Defaults to None, the mean.
        log_cosh: Whether to take `log(cosh(loss))` of each image. Defaults to
            `False`.
        smooth: Float, 0 or more, added above and below. Defaults to `0.0`: none is
            needed here to avoid dividing by 0.
        multi_label: Whether each class has a sigmoid of its own. Defaults to `False`,
            a softmax, or a sigmoid where there is one channel.
        axis: Integer, the class axis of the predictions. Defaults to `-1`.
        reduction: String of `keras.losses`, or None. Defaults to
            `"sum_over_batch_size"`, the weighted mean over images; `"sum"`, and
            `"none"` or None for the values of images.
        name: String, the name of the loss.
        dtype: Dtype of the result. The arithmetic is float32 or wider.

    Call arguments:
        y_true: Labels: sparse `(N, ...)` or `(N, ..., 1)`, one-hot or soft
            `(N, ..., C)`, of any integer or float dtype that holds them.
        y_pred: Predictions, `(N, ..., C)`; one channel is a sigmoid's.
        sample_weight: Weights that broadcast from the left. Those of samples, `(N,)`,
            weigh the images in the mean; those of pixels, `(N, ...)`, weigh the terms
            of the sums. A pixel of weight 0 is void.

    Raises:
        ValueError: If an argument is out of range; if labels, weights and predictions
            do not fit; in eager mode, if a label is neither a class nor ignored, or
            `y_pred` are no probabilities though `from_logits=False`. In compiled code
            a label that is no class makes the value NaN.

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

    needed = ("region",)

    def __init__(
        self,
        ignore_class=255,
        from_logits=False,
        class_weight=None,
        scope="image",
        include_background=True,
        include_absent=False,
        squared=False,
        generalized=None,
        log_cosh=False,
        smooth=0.0,
        multi_label=False,
        axis=-1,
        reduction="sum_over_batch_size",
        name="masked_soft_dice",
        dtype=None,
    ):
        super().__init__(
            ignore_class,
            from_logits,
            class_weight,
            multi_label,
            axis,
            reduction,
            name,
            dtype,
            scope=scope,
            include_background=include_background,
            include_absent=include_absent,
            squared=squared,
            generalized=_check(scope, smooth, squared, generalized),
            log_cosh=log_cosh,
            smooth=smooth,
        )

    @staticmethod
    def core(pixels, class_weight, **settings):
        return soft_dice_values(pixels, class_weight, **settings)


def soft_dice_values(
    pixels,
    class_weight,
    scope,
    include_background,
    include_absent,
    squared,
    generalized,
    log_cosh,
    smooth,
):
    """The losses and weights of images, both `(N,)`; of the batch, `(1,)`."""
    regions = region_sums(pixels, scope, squared)
    weights = class_weights_of(pixels, class_weight, include_background)
    present = regions.labelled > 0
    total = regions.labelled + regions.predicted
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


def _generalized(regions, total, present, class_weights, kind, smooth):
    """The loss of all present classes together, `(U, 1)`."""
    counts = ops.logical_and(present, class_weights > 0)
    smallest = ops.where(counts, regions.labelled, float("inf"))
    smallest = ops.min(smallest, axis=-1, keepdims=True)
    relative = divide(smallest, ops.where(counts, regions.labelled, 0))
    weights = ops.where(counts, class_weights * relative ** GENERALIZED[kind], 0)
    overlap = 2 * ops.sum(weights * regions.overlap, axis=-1, keepdims=True)
    total = ops.sum(weights * total, axis=-1, keepdims=True)
    return 1 - divide(overlap + smooth, total + smooth)


def _check(scope, smooth, squared, generalized):
    check_region(scope, smooth)
    generalized = "square" if generalized is True else generalized or None
    if generalized not in (None, *GENERALIZED):
        raise ValueError(
            f"`generalized` must be one of {sorted(GENERALIZED)}, or None. Received: "
            f"generalized={generalized!r}."
        )
    return generalized
