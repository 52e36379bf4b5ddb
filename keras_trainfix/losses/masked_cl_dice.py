"""Centerline Dice (clDice) loss that leaves void pixels out."""

import numbers
from typing import Any

import keras
from keras import ops

from keras_trainfix.labels.types import ClassWeight, IgnoreClass, Tensor
from keras_trainfix.losses.masked_loss import MaskedLoss, function_of
from keras_trainfix.losses.pixels import Pixels
from keras_trainfix.losses.region import (
    check_region,
    class_mean,
    class_weights_of,
    divide,
    in_units,
)
from keras_trainfix.losses.skeleton import soft_skeleton
from keras_trainfix.losses.spatial import as_rows, check_spatial, in_space


def cl_dice_values(
    pixels: Pixels,
    class_weight: ClassWeight,
    iterations: int,
    scope: str,
    include_background: bool,
    include_absent: bool,
    smooth: float,
) -> tuple[Tensor, Tensor]:
    """The losses and weights of images, both `(N,)`; of the batch, `(1,)`."""
    check_spatial(pixels)
    weights = class_weights_of(pixels, class_weight, include_background)
    rows, probabilities = pixels.rows, pixels.probabilities
    if pixels.num_classes > 1 and not include_background:  # skeletons take time
        weights, rows, probabilities = (
            part[..., 1:] for part in (weights, rows, probabilities)
        )
    lines, predicted_lines = (
        _skeletons(pixels, values, iterations) for values in (rows, probabilities)
    )
    sums = [
        *(predicted_lines * rows, predicted_lines),
        *(lines * probabilities, lines),
        *(rows, probabilities),
    ]
    sums, unit_weights = in_units(pixels, [*map(pixels.image_sums, sums)], scope)
    predicted_inside, predicted_length, found, length, labeled, predicted, size = sums
    # Without any skeleton nothing is wrong with it: a constant prediction has none.
    precision = divide(predicted_inside + smooth, predicted_length + smooth, 1.0)
    sensitivity = divide(found + smooth, length + smooth, 1.0)
    values = 1 - divide(2 * precision * sensitivity, precision + sensitivity)
    present = labeled > 0
    values = ops.where(present, values, divide(predicted, size))
    values = class_mean(pixels, values, present, weights, include_absent)
    return values, unit_weights


def _skeletons(pixels: Pixels, values: Tensor, iterations: int) -> Tensor:
    values, valid = in_space(pixels, values), in_space(pixels, pixels.valid)
    return as_rows(pixels, soft_skeleton(values, valid, iterations))


@keras.saving.register_keras_serializable(package="keras_trainfix")
class MaskedClDice(MaskedLoss):
    """Centerline Dice (clDice) loss over the pixels that are not void.

    For thin structures, such as vessels, roads and cracks: a gap costs as much in a
    capillary as in an artery. With `S(t)` and `S(p)` the soft skeletons of the labels
    `t` and the probabilities `p` of a class, and sums over valid pixels,

        precision = (sum(S(p) * t) + smooth) / (sum(S(p)) + smooth)
        sensitivity = (sum(S(t) * p) + smooth) / (sum(S(t)) + smooth)
        1 - 2 * precision * sensitivity / (precision + sensitivity)

    is averaged over classes, then over images. A skeleton is what remains of a
    structure after repeated erosion. Void is treated as what lies outside the image:
    it neither ends a structure nor continues it, and predictions there, NaN included,
    change neither the value nor the gradient.

    It sees the center lines only, not how wide structures are, and an image that is
    foreground everywhere has none: on its own, or with too large a weight from the
    start, a model may end there. Add `MaskedSoftDice` with `WeightedSum`, and raise the
    weight of this loss with `WeightSchedule` once masks have formed.

    An image or batch without a valid pixel, and absent classes, are treated as in
    `MaskedSoftDice`. The loss of an absent class is always the share of valid pixels
    predicted as it.

    Args:
        ignore_class: Integer, tuple of integers, or None: the ids of void, inside or
            outside the range of the classes. Defaults to `255`.
        from_logits: Whether predictions are logits. Defaults to `False`.
        class_weight: List or array with one weight per class, a dict from class to
            weight (missing classes weigh 1), or None: the weights of the mean over
            classes, which are normalized. A single sigmoid unit has classes 0 and 1.
        iterations: Integer, 0 or more: how many times masks are eroded. It must be at
            least half the width, in pixels, of the widest structure, or that has no
            skeleton. Time and memory grow with it. Defaults to `3`.
        scope: `"image"`, one loss per image, or `"batch"`, one over the pixels of all
            images (under `tf.distribute`, of a replica). Defaults to `"image"`.
        include_background: Whether class 0 counts, if there are several. Defaults to
            `False`, since the background is no thin structure.
        include_absent: Whether absent classes count in the mean. Defaults to `False`.
        smooth: Float, 0 or more, added to numerators and denominators. Defaults to
            `1.0`, as in the code of the paper.
        multi_label: Whether each class has its own sigmoid. Defaults to `False`: a
            softmax, or a sigmoid if there is one channel.
        axis: Integer, the class axis of the predictions. Defaults to `-1`.
        reduction: String of `keras.losses`, or None. Defaults to
            `"sum_over_batch_size"`, the weighted mean over images; `"sum"`; `"none"`
            or None for the values of images.
        name: String, the name of the loss.
        dtype: Dtype of the result. The arithmetic is float32 or wider.

    Call arguments:
        y_true: Labels of images or volumes: sparse `(N, ...)` or `(N, ..., 1)`, one-hot
            or soft `(N, ..., C)`, of any integer or float dtype that holds them.
        y_pred: Predictions, `(N, H, W, C)` or `(N, D, H, W, C)`; a single channel is a
            sigmoid's.
        sample_weight: Weights that broadcast from the left. Sample weights `(N,)`
            weigh the images in the mean; pixel weights `(N, ...)` weigh the terms of
            the sums. A pixel of weight 0 is void.

    Raises:
        ValueError: If an argument is out of range; if labels, weights and predictions
            do not fit, or are neither images nor volumes; in eager mode, if a label is
            neither a class nor ignored, or if `y_pred` are not probabilities and
            `from_logits=False`. In compiled code an invalid label makes the value NaN.

    Examples:
        >>> loss = MaskedClDice(smooth=0.0)
        >>> line = np.zeros((1, 5, 8), int)
        >>> line[0, 2] = 1
        >>> broken = np.float32(line)[..., None]
        >>> broken[0, :, 6:] = 0  # a quarter of the line is missing
        >>> round(float(loss(line, broken)), 4)  # 1 - 2 * 1 * 0.75 / (1 + 0.75)
        0.1429

    Reference:
        [Shit et al., 2021](https://arxiv.org/abs/2003.07311).
    """

    core = staticmethod(cl_dice_values)

    def __init__(
        self,
        ignore_class: IgnoreClass = 255,
        from_logits: bool = False,
        class_weight: ClassWeight = None,
        iterations: int = 3,
        scope: str = "image",
        include_background: bool = False,
        include_absent: bool = False,
        smooth: float = 1.0,
        multi_label: bool = False,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "masked_cl_dice",
        dtype: Any = None,
    ) -> None:
        check_region(scope, smooth)
        _check_iterations(iterations)
        super().__init__(
            *(ignore_class, from_logits, class_weight, multi_label, axis),
            *(reduction, name, dtype),
            iterations=int(iterations),
            scope=scope,
            include_background=include_background,
            include_absent=include_absent,
            smooth=smooth,
        )


@keras.saving.register_keras_serializable(package="keras_trainfix")
@function_of(MaskedClDice)
def masked_cl_dice(
    y_true: Tensor,
    y_pred: Tensor,
    ignore_class: IgnoreClass = 255,
    from_logits: bool = False,
    class_weight: ClassWeight = None,
    iterations: int = 3,
    scope: str = "image",
    include_background: bool = False,
    include_absent: bool = False,
    smooth: float = 1.0,
    multi_label: bool = False,
    axis: int = -1,
    sample_weight: Tensor | None = None,
    reduction: str | None = "sum_over_batch_size",
) -> Tensor:
    """Centerline Dice (clDice) loss over valid pixels, for custom training steps.

    `MaskedClDice` as a function; its settings are described there. The result is
    float32 or wider under any dtype policy.

    Args:
        y_true: Labels, see `MaskedClDice`.
        y_pred: Predictions of shape `(N, H, W, C)` or `(N, D, H, W, C)`.
        sample_weight: Weights of samples `(N,)` or of pixels `(N, ...)`, or None.

    Returns:
        Scalar tensor; with `reduction="none"` one of shape `(N,)`, or `(1,)` if also
        `scope="batch"`.

    Raises:
        ValueError: As `MaskedClDice`.

    Examples:
        >>> line = np.zeros((1, 5, 8), int)
        >>> line[0, 2] = 1
        >>> wide = np.zeros((1, 5, 8, 1), "float32")
        >>> wide[0, 1:4] = 1  # three times too wide, with the right center
        >>> float(masked_cl_dice(line, wide))
        0.0
    """


def _check_iterations(iterations: int) -> None:
    is_integer = isinstance(iterations, numbers.Integral)
    if not is_integer or isinstance(iterations, bool) or iterations < 0:
        raise ValueError(
            "`iterations` must be an integer, 0 or more: about half the width of the "
            f"widest structure. Received: iterations={iterations!r}."
        )
