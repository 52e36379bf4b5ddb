"""The Lovász extension of the Jaccard loss, with void pixels left out."""

from typing import Any

import keras
from keras import ops

from keras_trainfix.labels.types import ClassWeight, IgnoreClass, Tensor
from keras_trainfix.losses.masked_loss import MaskedLoss, function_of
from keras_trainfix.losses.pixels import Pixels
from keras_trainfix.losses.region import check_region, class_mean, class_weights_of


def lovasz_values(
    pixels: Pixels,
    class_weight: ClassWeight,
    scope: str,
    include_background: bool,
    include_absent: bool,
    hinge: bool,
) -> tuple[Tensor, Tensor]:
    """The losses and weights of images, both `(N,)`; of the batch, `(1,)`."""
    labels = ops.cast(pixels.one_hot, pixels.weights.dtype)
    if hinge:
        _check_sigmoid(pixels)
        errors = ops.relu(1 - pixels.scores * (2 * labels - 1))
    else:
        errors = ops.abs(labels - pixels.probabilities)
    number = ops.shape(pixels.weights)[0] if scope == "image" else 1
    errors, labels, counts = (
        _in_units(part, number)
        for part in (errors, labels, ops.expand_dims(pixels.weights, -1))
    )
    labels = labels * counts  # the weight of a whole image cancels in its IoU
    # Void last, where it adds no term and cannot change those before it.
    order = ops.argsort(-ops.where(counts > 0, ops.stop_gradient(errors), -1), axis=-1)
    labels = ops.take_along_axis(labels, order, axis=-1)
    counts = ops.take_along_axis(ops.broadcast_to(counts, ops.shape(errors)), order, -1)
    errors = ops.take_along_axis(errors, order, axis=-1)
    labeled = ops.sum(labels, axis=-1)
    slopes = _jaccard_slopes(labels, counts, ops.expand_dims(labeled, -1))
    values = ops.sum(errors * slopes, axis=-1)
    weights = class_weights_of(pixels, class_weight, include_background)
    values = class_mean(pixels, values, labeled > 0, weights, include_absent)
    unit_weights = ops.cast(ops.max(counts, axis=(1, 2)) > 0, values.dtype)
    if scope == "image" and pixels.sample_weight is not None:
        unit_weights = unit_weights * pixels.sample_weight
    return values, unit_weights


def _jaccard_slopes(labels: Tensor, counts: Tensor, labeled: Tensor) -> Tensor:
    """How much each pixel, wrong together with those before it, lowers the IoU."""
    overlap = labeled - ops.cumsum(labels, axis=-1)
    union = labeled + ops.cumsum(counts - labels, axis=-1)
    loss = 1 - overlap / ops.where(union > 0, union, 1)
    before = ops.concatenate([ops.zeros_like(loss[..., :1]), loss[..., :-1]], axis=-1)
    return ops.where(counts > 0, loss - before, 0)


def _in_units(values: Tensor, number: Any) -> Tensor:
    """`(N, K, L, C)` as `(U, C, pixels)`."""
    values = ops.reshape(values, (number, -1, values.shape[-1]))
    return ops.swapaxes(values, 1, 2)


@keras.saving.register_keras_serializable(package="keras_trainfix")
class MaskedLovasz(MaskedLoss):
    """Lovász loss over the pixels that are not void.

    The convex extension of `1 - IoU` to probabilities: it equals `1 - IoU` for hard
    predictions, and its gradient is how much the IoU changes with each pixel. The
    loss of a class is computed from the sorted errors `|t - p|` of its pixels, then
    averaged over classes, then over images.

    Void pixels and absent classes are treated as in `MaskedSoftDice`. The loss of an
    absent class that counts is its largest probability. Each class costs a sort of
    the pixels, and the gradient is sparse early in training: start with another loss,
    or add one with `WeightedSum`. Soft labels are read as their largest class.

    Args:
        ignore_class: Integer, tuple of integers, or None: the ids of void, inside or
            outside the range of the classes. Defaults to `255`.
        from_logits: Whether predictions are logits. Defaults to `False`.
        class_weight: List or array with one weight per class, a dict from class to
            weight (missing classes weigh 1), or None: the weights of the mean over
            classes, which are normalized. A single sigmoid unit has classes 0 and 1.
        scope: `"image"`, one loss per image, or `"batch"`, one over the pixels of all
            images (under `tf.distribute`, of a replica). Defaults to `"image"`.
        include_background: Whether class 0 counts. Defaults to `True`.
        include_absent: Whether absent classes count in the mean. Defaults to `False`.
        hinge: Whether the errors of sigmoid units are the hinge errors of their
            logits, `max(0, 1 - logit)` where the label is 1. Defaults to `False`, the
            errors of their probabilities.
        multi_label: Whether each class has its own sigmoid. Defaults to `False`: a
            softmax, or a sigmoid if there is one channel.
        axis: Integer, the class axis of the predictions. Defaults to `-1`.
        reduction: String of `keras.losses`, or None. Defaults to
            `"sum_over_batch_size"`, the weighted mean over images; `"sum"`; `"none"`
            or None for the values of images.
        name: String, the name of the loss.
        dtype: Dtype of the result. The arithmetic is float32 or wider.

    Call arguments:
        y_true: Labels: sparse `(N, ...)` or `(N, ..., 1)`, one-hot `(N, ..., C)`, of
            any integer or float dtype that holds them.
        y_pred: Predictions, `(N, ..., C)`; a single channel is a sigmoid's.
        sample_weight: Weights that broadcast from the left. Sample weights `(N,)`
            weigh the images in the mean; pixel weights `(N, ...)` weigh the pixels in
            the IoU. A pixel of weight 0 is void.

    Raises:
        ValueError: If an argument is out of range; if labels, weights and predictions
            do not fit; in eager mode, if a label is neither a class nor ignored, or
            if `y_pred` are not probabilities and `from_logits=False`. In compiled
            code an invalid label makes the value NaN.

    Examples:
        >>> loss = MaskedLovasz()
        >>> labels = np.array([[1, 0, 255]])
        >>> float(loss(labels, np.array([[[0.75], [0.25], [0.5]]])))
        0.25

    Reference:
        [Berman et al., 2018](https://arxiv.org/abs/1705.08790); the hinge:
        [Yu and Blaschko, 2015](https://arxiv.org/abs/1512.07797).
    """

    core = staticmethod(lovasz_values)

    def __init__(
        self,
        ignore_class: IgnoreClass = 255,
        from_logits: bool = False,
        class_weight: ClassWeight = None,
        scope: str = "image",
        include_background: bool = True,
        include_absent: bool = False,
        hinge: bool = False,
        multi_label: bool = False,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "masked_lovasz",
        dtype: Any = None,
    ) -> None:
        check_region(scope, smooth=0)
        _check_hinge(hinge, from_logits)
        super().__init__(
            *(ignore_class, from_logits, class_weight, multi_label, axis),
            *(reduction, name, dtype),
            scope=scope,
            include_background=include_background,
            include_absent=include_absent,
            hinge=hinge,
        )


@keras.saving.register_keras_serializable(package="keras_trainfix")
@function_of(MaskedLovasz)
def masked_lovasz(
    y_true: Tensor,
    y_pred: Tensor,
    ignore_class: IgnoreClass = 255,
    from_logits: bool = False,
    class_weight: ClassWeight = None,
    scope: str = "image",
    include_background: bool = True,
    include_absent: bool = False,
    hinge: bool = False,
    multi_label: bool = False,
    axis: int = -1,
    sample_weight: Tensor | None = None,
    reduction: str | None = "sum_over_batch_size",
) -> Tensor:
    """Lovász loss over valid pixels, for custom training steps.

    `MaskedLovasz` as a function; its settings are described there. The result is
    float32 or wider under any dtype policy.

    Args:
        y_true: Labels, see `MaskedLovasz`.
        y_pred: Predictions of shape `(N, ..., C)`.
        sample_weight: Weights of samples `(N,)` or of pixels `(N, ...)`, or None.

    Returns:
        Scalar tensor; with `reduction="none"` one of shape `(N,)`, or `(1,)` if also
        `scope="batch"`.

    Raises:
        ValueError: As `MaskedLovasz`.

    Examples:
        >>> labels = np.array([[1, 1, 0, 255]])
        >>> found = np.array([[[1.0], [0.0], [1.0], [np.nan]]])
        >>> round(float(masked_lovasz(labels, found)), 4)  # 1 - IoU
        0.6667
    """


def _check_hinge(hinge: bool, from_logits: bool) -> None:
    if hinge and not from_logits:
        raise ValueError(
            "`hinge=True` needs logits. Received: from_logits=False. Remove the "
            "sigmoid from the model and pass `from_logits=True`."
        )


def _check_sigmoid(pixels: Pixels) -> None:
    if pixels.exclusive:
        raise ValueError(
            "`hinge=True` needs sigmoid units: one output channel, or "
            f"multi_label=True. Received: y_pred with {pixels.num_classes} classes."
        )
