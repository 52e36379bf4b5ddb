"""Cross-entropy that leaves void pixels out."""

import numbers
from typing import Any

import keras
from keras import ops

from keras_trainfix.labels.types import ClassWeight, IgnoreClass, Tensor
from keras_trainfix.labels.weights import class_weight_vector
from keras_trainfix.losses.masked_loss import MaskedLoss, function_of
from keras_trainfix.losses.pixels import Pixels


def crossentropy_values(
    pixels: Pixels,
    class_weight: ClassWeight,
    label_smoothing: float,
    focal_gamma: float,
    top_k: float | None,
) -> tuple[Tensor, Tensor]:
    """The losses and weights of pixels, both `(N, K, L)`."""
    is_dense = not pixels.sparse or label_smoothing or not pixels.exclusive
    if is_dense:
        values = _of_rows(pixels, class_weight, label_smoothing, focal_gamma)
        values = ops.where(pixels.valid, values, 0)
    else:
        values = _focal(pixels.crossentropy, focal_gamma)
    weights = pixels.weights
    if class_weight is not None and (pixels.exclusive or pixels.num_classes == 1):
        weights = weights * _label_weights(pixels, class_weight)
    if top_k is not None:
        weights = weights * _largest(values * weights, weights > 0, top_k)
    return values, weights


def _of_rows(
    pixels: Pixels,
    class_weight: ClassWeight,
    label_smoothing: float,
    focal_gamma: float,
) -> Tensor:
    """The losses of pixels from labels as rows, `(N, K, L)`."""
    rows = pixels.rows
    if pixels.exclusive:
        rows = rows * (1 - label_smoothing) + label_smoothing / pixels.num_classes
        return ops.sum(rows * _focal(pixels.nll, focal_gamma), axis=-1)
    rows = rows * (1 - label_smoothing) + label_smoothing / 2
    if pixels.from_logits and not focal_gamma:  # the backends have it in few passes
        values = ops.binary_crossentropy(rows, pixels.scores, from_logits=True)
    else:
        positive = _focal(pixels.nll, focal_gamma)
        negative = _focal(pixels.nll_negative, focal_gamma)
        values = rows * positive + (1 - rows) * negative
    if pixels.num_classes == 1 or class_weight is None:
        return ops.mean(values, axis=-1)
    shares = class_weight_vector(class_weight, pixels.num_classes)
    shares = shares / max(shares.sum(), 1e-37)
    return ops.sum(values * ops.cast(shares, values.dtype), axis=-1)


def _focal(nll: Tensor, gamma: float) -> Tensor:
    """`(1 - p) ** gamma * -log(p)`, from `-log(p)`."""
    if not gamma:
        return nll
    # Where p is 1, a power below 1 has no slope; the factor `nll` is 0 there anyway.
    complement = ops.maximum(-ops.expm1(-nll), 1e-30)
    return nll * complement**gamma


def _label_weights(pixels: Pixels, class_weight: ClassWeight) -> Tensor:
    number = max(pixels.num_classes, 2)
    vector = class_weight_vector(class_weight, number)
    vector = ops.cast(ops.convert_to_tensor(vector), pixels.weights.dtype)
    if pixels.sparse:
        return ops.take(vector, pixels.ids)
    if pixels.num_classes == 1:
        share = ops.squeeze(pixels.rows, -1)
        return vector[0] + share * (vector[1] - vector[0])
    return ops.sum(pixels.rows * vector, axis=-1)


def _largest(values: Tensor, is_counted: Tensor, top_k: float) -> Tensor:
    """1.0 at the `top_k` largest of the values that count, 0.0 elsewhere."""
    shape = ops.shape(values)
    values = ops.stop_gradient(ops.where(is_counted, values, -1))
    order = ops.argsort(-ops.reshape(values, (-1,)))
    rank = ops.argsort(order)  # the inverse permutation
    number = top_k
    if not isinstance(top_k, numbers.Integral):
        counted = ops.sum(ops.cast(is_counted, "float32"))
        # A little less, or rounding would turn 30 % of 10 pixels into 4.
        number = ops.cast(ops.ceil((1 - 1e-6) * top_k * counted), rank.dtype)
    is_largest = ops.cast(rank < number, values.dtype)
    return ops.reshape(is_largest, shape)


@keras.saving.register_keras_serializable(package="keras_trainfix")
class MaskedCrossentropy(MaskedLoss):
    """Cross-entropy averaged over the pixels that are not void.

    Takes sparse, one-hot, soft and binary labels. The loss of a batch is

        sum(w * l) / sum(w)

    over its valid pixels, where `l` is the cross-entropy of a pixel and `w` its
    `sample_weight` times the `class_weight` of its label (for a soft label, the mean
    over its classes). Predictions under void, NaN included, change neither the value
    nor the gradient. A batch without a valid pixel gives 0 and a zero gradient.

    Args:
        ignore_class: Integer, tuple of integers, or None: the ids of void, inside or
            outside the range of the classes. Defaults to `255`.
        from_logits: Whether predictions are logits. Prefer logits: a softmax that has
            underflowed to 0 cannot learn. Defaults to `False`.
        class_weight: List or array with one weight per class, a dict from class to
            weight (missing classes weigh 1), or None. See
            `class_weights_from_labels`. A single sigmoid unit has classes 0 and 1;
            with `multi_label` the weights are normalized and weigh the mean over
            classes.
        label_smoothing: Float in `[0, 1]`: the share of each label that is spread
            over all classes. Defaults to `0.0`.
        focal_gamma: Float, 0 or more. The part of each class in `l` is multiplied by
            `(1 - p) ** focal_gamma`, so that easy pixels count less. It is computed
            from logarithms: a saturated wrong prediction keeps its gradient. Defaults
            to `0.0`.
        top_k: Average over only the pixels with the largest weighted loss in the
            batch: an integer is their number, a float in `(0, 1]` their share of the
            pixels that count, rounded up. Under `tf.distribute`, the batch is that of
            a replica. Defaults to None, all pixels.
        multi_label: Whether each class has its own sigmoid, and `l` is the mean of
            their binary cross-entropies. Defaults to `False`: a softmax, or a sigmoid
            if there is one channel.
        axis: Integer, the class axis of the predictions. Defaults to `-1`.
        reduction: String of `keras.losses`, or None. Defaults to
            `"sum_over_batch_size"`, the weighted mean above; `"sum"`; `"none"` or
            None for the values of pixels.
        name: String, the name of the loss.
        dtype: Dtype of the result. The arithmetic is float32 or wider.

    Call arguments:
        y_true: Labels: sparse `(N, ...)` or `(N, ..., 1)`, one-hot or soft
            `(N, ..., C)`, of any integer or float dtype that holds them.
        y_pred: Predictions, `(N, ..., C)`; a single channel is a sigmoid's.
        sample_weight: Weights of samples `(N,)`, of pixels `(N, ...)` or anything in
            between: they broadcast from the left. A pixel of weight 0 is void.

    Raises:
        ValueError: If an argument is out of range; if labels, weights and predictions
            do not fit; in eager mode, if a label is neither a class nor ignored, or
            if `y_pred` are not probabilities and `from_logits=False`. In compiled
            code an invalid label makes the value NaN.

    Examples:
        >>> loss = MaskedCrossentropy(from_logits=True, class_weight=[1, 3])
        >>> labels = np.array([[0, 255, 1]])
        >>> logits = np.zeros((1, 3, 2))
        >>> round(float(loss(labels, logits)), 4)
        0.6931

    Reference:
        Focal loss: [Lin et al., 2017](https://arxiv.org/abs/1708.02002). Hardest
        pixels: [Wu et al., 2016](https://arxiv.org/abs/1605.06885). Smoothing:
        [Szegedy et al., 2015](https://arxiv.org/abs/1512.00567).
    """

    core = staticmethod(crossentropy_values)
    needed = ("crossentropy",)

    def __init__(
        self,
        ignore_class: IgnoreClass = 255,
        from_logits: bool = False,
        class_weight: ClassWeight = None,
        label_smoothing: float = 0.0,
        focal_gamma: float = 0.0,
        top_k: float | None = None,
        multi_label: bool = False,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "masked_crossentropy",
        dtype: Any = None,
    ) -> None:
        _check(label_smoothing, focal_gamma, top_k)
        super().__init__(
            *(ignore_class, from_logits, class_weight, multi_label, axis),
            *(reduction, name, dtype),
            label_smoothing=label_smoothing,
            focal_gamma=focal_gamma,
            top_k=top_k,
        )


@keras.saving.register_keras_serializable(package="keras_trainfix")
@function_of(MaskedCrossentropy)
def masked_crossentropy(
    y_true: Tensor,
    y_pred: Tensor,
    ignore_class: IgnoreClass = 255,
    from_logits: bool = False,
    class_weight: ClassWeight = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    top_k: float | None = None,
    multi_label: bool = False,
    axis: int = -1,
    sample_weight: Tensor | None = None,
    reduction: str | None = "sum_over_batch_size",
) -> Tensor:
    """Cross-entropy averaged over valid pixels, for custom training steps.

    `MaskedCrossentropy` as a function; its settings are described there. The result
    is float32 or wider under any dtype policy. It can be differentiated once, with
    respect to `y_pred` and `sample_weight`.

    Args:
        y_true: Labels, see `MaskedCrossentropy`.
        y_pred: Predictions of shape `(N, ..., C)`.
        sample_weight: Weights of samples `(N,)` or of pixels `(N, ...)`, or None.

    Returns:
        Scalar tensor; with `reduction="none"` one of the pixel shape.

    Raises:
        ValueError: As `MaskedCrossentropy`.

    Examples:
        >>> labels = np.array([[0, 255, 1]])
        >>> logits = np.array([[[2.0, 0.0], [np.nan, 0.0], [0.0, 0.0]]])
        >>> loss = masked_crossentropy(labels, logits, from_logits=True)
        >>> round(float(loss), 4)  # (log(1 + exp(-2)) + log(2)) / 2
        0.41
    """


def _check(label_smoothing: float, focal_gamma: float, top_k: float | None) -> None:
    if not 0 <= label_smoothing <= 1:
        raise ValueError(
            "`label_smoothing` must be between 0 and 1. Received: "
            f"label_smoothing={label_smoothing}."
        )
    if not 0 <= focal_gamma < float("inf"):
        raise ValueError(
            "`focal_gamma` must be 0 or more; 0 is ordinary cross-entropy. Received: "
            f"focal_gamma={focal_gamma}."
        )
    if top_k is None:
        return
    is_integer = isinstance(top_k, numbers.Integral)
    is_number = isinstance(top_k, numbers.Real) and not isinstance(top_k, bool)
    if not is_number or not (top_k >= 1 if is_integer else 0 < top_k <= 1):
        raise ValueError(
            "`top_k` must be a number of pixels (an integer, 1 or more), a share of "
            f"them (a float in (0, 1]), or None. Received: top_k={top_k}."
        )
