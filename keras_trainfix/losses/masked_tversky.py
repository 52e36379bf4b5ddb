"""Tversky loss, including soft Jaccard, that leaves void pixels out."""

from typing import Any

import keras
from keras import ops

from keras_trainfix.labels.types import ClassWeight, IgnoreClass, Tensor
from keras_trainfix.losses.masked_loss import MaskedLoss, function_of
from keras_trainfix.losses.pixels import Pixels
from keras_trainfix.losses.region import (
    absent_loss,
    check_region,
    class_mean,
    class_weights_of,
    divide,
    region_sums,
)


def tversky_values(
    pixels: Pixels,
    class_weight: ClassWeight,
    alpha: float,
    beta: float,
    gamma: float,
    scope: str,
    include_background: bool,
    include_absent: bool,
    smooth: float,
) -> tuple[Tensor, Tensor]:
    """The losses and weights of images, both `(N,)`; of the batch, `(1,)`."""
    regions = region_sums(pixels, scope)
    weights = class_weights_of(pixels, class_weight, include_background)
    present = regions.labeled > 0
    overlap = regions.overlap
    false_positives = regions.predicted - overlap
    false_negatives = regions.labeled - overlap
    total = overlap + alpha * false_positives + beta * false_negatives
    values = 1 - divide(overlap + smooth, total + smooth)
    if not smooth:
        values = ops.where(present, values, absent_loss(regions))
    if gamma != 1:
        # A root has no slope at 0, and rounding may leave a value below 0.
        is_positive = values > 0
        values = ops.where(is_positive, values, 1)
        values = ops.where(is_positive, values**gamma, 0)
    values = class_mean(pixels, values, present, weights, include_absent)
    return values, regions.weights


@keras.saving.register_keras_serializable(package="keras_trainfix")
class MaskedTversky(MaskedLoss):
    """Tversky loss over the pixels that are not void.

    For a class with true positives `TP`, false positives `FP` and false negatives
    `FN`, summed over the probabilities of valid pixels, it is

        (1 - (TP + smooth) / (TP + alpha * FP + beta * FN + smooth)) ** gamma

    averaged over classes, then over images. `alpha = beta = 0.5` is soft Dice,
    `alpha = beta = 1` the soft Jaccard (IoU) loss. Void pixels, absent classes and
    empty masks are treated as in `MaskedSoftDice`.

    `alpha` weighs false positives, as in the paper; up to Keras 3.15,
    `keras.losses.Tversky` has the two exchanged.

    Args:
        ignore_class: Integer, tuple of integers, or None: the ids of void, inside or
            outside the range of the classes. Defaults to `255`.
        from_logits: Whether predictions are logits. Defaults to `False`.
        class_weight: List or array with one weight per class, a dict from class to
            weight (missing classes weigh 1), or None: the weights of the mean over
            classes, which are normalized. A single sigmoid unit has classes 0 and 1.
        alpha: Float, 0 or more: the weight of false positives. Defaults to `0.5`.
        beta: Float, 0 or more: the weight of false negatives. A value above `alpha`
            raises the recall of small classes. Defaults to `0.5`.
        gamma: Float above 0: the focal exponent. Below 1, hard classes keep more of
            their gradient towards the end of training. Defaults to `1.0`.
        scope: `"image"`, one loss per image, or `"batch"`, one over the pixels of all
            images (under `tf.distribute`, of a replica). Defaults to `"image"`.
        include_background: Whether class 0 counts. Defaults to `True`.
        include_absent: Whether absent classes count in the mean. Defaults to `False`.
        smooth: Float, 0 or more, added to numerator and denominator. Defaults to
            `0.0`.
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
        >>> jaccard = MaskedTversky(alpha=1.0, beta=1.0)
        >>> labels = np.array([[1, 1, 0, 255]])
        >>> found = np.array([[[1.0], [0.0], [1.0], [1.0]]])  # IoU is 1 / 3
        >>> round(float(jaccard(labels, found)), 4)
        0.6667

    Reference:
        [Salehi et al., 2017](https://arxiv.org/abs/1706.05721); focal Tversky:
        [Abraham and Khan, 2018](https://arxiv.org/abs/1810.07842), whose gamma is the
        inverse of this one.
    """

    core = staticmethod(tversky_values)
    needed = ("region",)

    def __init__(
        self,
        ignore_class: IgnoreClass = 255,
        from_logits: bool = False,
        class_weight: ClassWeight = None,
        alpha: float = 0.5,
        beta: float = 0.5,
        gamma: float = 1.0,
        scope: str = "image",
        include_background: bool = True,
        include_absent: bool = False,
        smooth: float = 0.0,
        multi_label: bool = False,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "masked_tversky",
        dtype: Any = None,
    ) -> None:
        _check(alpha, beta, gamma)
        check_region(scope, smooth)
        super().__init__(
            *(ignore_class, from_logits, class_weight, multi_label, axis),
            *(reduction, name, dtype),
            alpha=alpha,
            beta=beta,
            gamma=gamma,
            scope=scope,
            include_background=include_background,
            include_absent=include_absent,
            smooth=smooth,
        )


@keras.saving.register_keras_serializable(package="keras_trainfix")
@function_of(MaskedTversky)
def masked_tversky(
    y_true: Tensor,
    y_pred: Tensor,
    ignore_class: IgnoreClass = 255,
    from_logits: bool = False,
    class_weight: ClassWeight = None,
    alpha: float = 0.5,
    beta: float = 0.5,
    gamma: float = 1.0,
    scope: str = "image",
    include_background: bool = True,
    include_absent: bool = False,
    smooth: float = 0.0,
    multi_label: bool = False,
    axis: int = -1,
    sample_weight: Tensor | None = None,
    reduction: str | None = "sum_over_batch_size",
) -> Tensor:
    """Tversky loss over valid pixels, for custom training steps.

    `MaskedTversky` as a function; its settings are described there. The result is
    float32 or wider under any dtype policy. It can be differentiated once, with
    respect to `y_pred`.

    Args:
        y_true: Labels, see `MaskedTversky`.
        y_pred: Predictions of shape `(N, ..., C)`.
        sample_weight: Weights of samples `(N,)` or of pixels `(N, ...)`, or None.

    Returns:
        Scalar tensor; with `reduction="none"` one of shape `(N,)`, or `(1,)` if also
        `scope="batch"`.

    Raises:
        ValueError: As `MaskedTversky`.

    Examples:
        >>> labels = np.array([[1, 1, 0, 255]])
        >>> found = np.array([[[1.0], [0.0], [0.0], [np.nan]]])  # one, of two
        >>> round(float(masked_tversky(labels, found, alpha=0.9, beta=0.1)), 4)
        0.0909
    """


def _check(alpha: float, beta: float, gamma: float) -> None:
    is_fine = 0 <= alpha < float("inf") and 0 <= beta < float("inf") and alpha + beta
    if not is_fine:
        raise ValueError(
            "`alpha` and `beta` must be 0 or more, and not both 0: they weigh false "
            f"positives and false negatives. Received: alpha={alpha}, beta={beta}."
        )
    if not 0 < gamma < float("inf"):
        raise ValueError(
            "`gamma` must be above 0; 1 is the ordinary Tversky loss. Received: "
            f"gamma={gamma}."
        )
