"""How much predictions vary compared with the targets: the cheapest collapse signal.

Deviations are taken from a shift near the mean, the mean of the first batch, so that a
small spread around a large mean is not lost to rounding.
"""

from typing import Any

import keras
from keras import ops

from keras_trainfix import backend
from keras_trainfix.arguments import KnownNames
from keras_trainfix.labels import class_rows, mask_predictions, read_labels
from keras_trainfix.labels.dtypes import as_tensor, check_numbers, wide
from keras_trainfix.labels.shapes import shapes_fit
from keras_trainfix.labels.types import IgnoreClass, Tensor
from keras_trainfix.labels.weights import pixel_weights
from keras_trainfix.metrics.reading import as_array


def prediction_spread(
    y_true: Tensor,
    y_pred: Tensor,
    relative: bool = True,
    ignore_class: IgnoreClass = None,
    from_logits: bool = False,
    axis: int = -1,
    sample_weight: Tensor = None,
) -> Tensor:
    """Standard deviation of predictions, relative to that of the targets.

    This is `PredictionSpread` for a single batch.

    Args:
        y_true: Targets of the shape of `y_pred`, or labels of classes.
        y_pred: Predictions `(N,)` or `(N, ..., outputs)`.
        relative: Whether to divide by the standard deviation of the targets. Defaults
            to `True`.
        ignore_class: Integer, tuple of integers, or None: ids of void labels. Defaults
            to `None`.
        from_logits: Whether `y_pred` are logits of classes. Defaults to `False`.
        axis: Integer, the axis of the outputs. Defaults to `-1`.
        sample_weight: Weights that broadcast from the left, or None. Defaults to
            `None`.

    Returns:
        Scalar tensor; NaN if there is nothing to compare.

    Raises:
        ValueError: If the shapes do not match. In eager mode also if a label is neither
            a class nor ignored.

    Examples:
        >>> targets = np.array([1.0, 2.0, 3.0, 4.0])
        >>> round(float(prediction_spread(targets, targets / 10)), 4)
        0.1
    """
    values, weights = _read(
        y_true, y_pred, sample_weight, ignore_class, from_logits, axis
    )
    shift, _ = _mean(values, weights)
    return _spread(_sums(values, weights, shift), ops.sum(weights), relative)


class Spread(KnownNames, keras.Metric):
    """Base of both metrics: sums of predictions and targets over samples.

    Args:
        ignore_class: Integer, tuple of integers, or None: ids of void labels.
        from_logits: Whether predictions are logits of classes.
        axis: Integer, the axis of the outputs.
        name: String, the name of the metric.
        dtype: Dtype of the result.
    """

    def __init__(
        self,
        ignore_class: IgnoreClass,
        from_logits: bool,
        axis: int,
        name: str | None,
        dtype: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.ignore_class = ignore_class
        self.from_logits = from_logits
        self.axis = axis
        self._built = False

    def _build(self, outputs: int) -> None:
        self._built = True
        self._totals = self.add_variable((2, 2, outputs), "zeros", "float32")
        self._count = self.add_variable((), "zeros", "float32")
        # The mean over replicas, so all replicas have the same.
        self._shift = self.add_variable((2, 1, outputs), "zeros", "float32", "mean")
        self._has_shift = self.add_variable((), "zeros", "float32", "mean")

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> None:
        """Adds a batch."""
        values, weights = _read(
            y_true,
            y_pred,
            sample_weight,
            self.ignore_class,
            self.from_logits,
            self.axis,
        )
        if not self._built:
            self._build(values.shape[-1])
        mean, has_any = _mean(values, weights)
        is_set = ops.convert_to_tensor(self._has_shift) > 0
        shift = ops.where(is_set, ops.convert_to_tensor(self._shift), mean)
        self._shift.assign(shift)
        self._has_shift.assign(ops.where(is_set, 1.0, ops.cast(has_any, "float32")))
        self._totals.assign(self._totals + _sums(values, weights, shift))
        self._count.assign(self._count + ops.sum(weights))

    def spread(self, relative: bool, which: int = 0) -> Tensor:
        """The spread of the predictions so far, or of the targets if `which` is 1."""
        if not self._built:
            return ops.cast(float("nan"), self.dtype)
        totals, count = (
            backend.sum_over_processes(ops.convert_to_tensor(variable))
            for variable in (self._totals, self._count)
        )
        return ops.cast(_spread(totals, count, relative, which), self.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "ignore_class": self.ignore_class,
            "from_logits": self.from_logits,
            "axis": self.axis,
        }


@keras.saving.register_keras_serializable(package="keras_trainfix")
class PredictionSpread(Spread):
    """Standard deviation of the predictions, relative to that of the targets.

    A net that gives the same answer for every input has a spread of 0, and one that is
    always right a spread of 1. Early in training, or under strong regularization, the
    spread is small and grows. A falling loss does not distinguish these cases. The
    metric costs next to nothing, and unlike `CollapseDetector` it needs no samples that
    are set aside.

    Each output, on the last axis, is compared with its own target, over all samples
    (and pixels). The result is the root of the mean of `var(y_pred) / var(y_true)` over
    the outputs whose target varies. For classes, probabilities are compared with
    one-hot labels.

    Args:
        relative: Whether to divide by the standard deviation of the targets. If not,
            the result is the root of the mean variance. Defaults to `True`.
        ignore_class: Integer, tuple of integers, or None: ids of void labels. Defaults
            to `None`, as any number may be a regression target.
        from_logits: Whether predictions are logits of classes, to be passed through
            softmax (sigmoid for one unit). Defaults to `False`.
        axis: Integer, the axis of the outputs. Defaults to `-1`.
        name: String, the name of the metric. Defaults to `"prediction_spread"`.
        dtype: Dtype of the result. Defaults to `None`, the dtype that Keras uses for
            metrics.

    Call arguments:
        y_true: Targets of the shape of `y_pred`, with or without a last axis of 1; or
            labels of classes, sparse `(N, ...)` or `(N, ..., 1)` or one-hot.
        y_pred: Predictions `(N,)` or `(N, ..., outputs)`.
        sample_weight: Weights that broadcast from the left. Samples and pixels of
            weight 0 are void.

    Raises:
        ValueError: If the shapes do not match. In eager mode also if a label is neither
            a class nor ignored.

    Examples:
        >>> metric = PredictionSpread()
        >>> metric.update_state(np.array([1.0, 2.0]), np.array([1.4, 1.5]))
        >>> metric.update_state(np.array([3.0, 4.0]), np.array([1.6, 1.7]))
        >>> round(float(metric.result()), 4)
        0.1
    """

    def __init__(
        self,
        relative: bool = True,
        ignore_class: IgnoreClass = None,
        from_logits: bool = False,
        axis: int = -1,
        name: str | None = "prediction_spread",
        dtype: Any = None,
    ) -> None:
        super().__init__(ignore_class, from_logits, axis, name, dtype)
        self.relative = relative

    def result(self) -> Tensor:
        """The spread so far, a scalar; NaN if no target varies."""
        return self.spread(self.relative)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "relative": self.relative}


@keras.saving.register_keras_serializable(package="keras_trainfix")
class TargetSpread(Spread):
    """Standard deviation of the targets, a yardstick for a loss.

    It is the root mean squared error of the best constant answer to a regression. With
    several outputs it is the root of the mean variance.

    Args:
        ignore_class: Integer, tuple of integers, or None: ids of void labels. Defaults
            to `None`.
        axis: Integer, the axis of the outputs. Defaults to `-1`.
        name: String, the name of the metric. Defaults to `"target_spread"`.
        dtype: Dtype of the result. Defaults to `None`, the dtype that Keras uses for
            metrics.

    Call arguments:
        y_true: Targets or labels, as for `PredictionSpread`.
        y_pred: Predictions; only their shape matters.
        sample_weight: Weights that broadcast from the left.

    Raises:
        ValueError: As `PredictionSpread`.

    Examples:
        >>> metric = TargetSpread()
        >>> metric.update_state(np.array([1.0, 2.0, 3.0, 4.0]), np.zeros(4))
        >>> round(float(metric.result()), 4)
        1.118
    """

    def __init__(
        self,
        ignore_class: IgnoreClass = None,
        axis: int = -1,
        name: str | None = "target_spread",
        dtype: Any = None,
    ) -> None:
        super().__init__(ignore_class, False, axis, name, dtype)

    def result(self) -> Tensor:
        """The spread so far, a scalar."""
        return self.spread(relative=False, which=1)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["from_logits"]
        return config


def _read(
    y_true: Tensor,
    y_pred: Tensor,
    sample_weight: Tensor,
    ignore_class: IgnoreClass,
    from_logits: bool,
    axis: int,
) -> tuple[Tensor, Tensor]:
    """Predictions and targets, `(2, P, outputs)`, and the weights `(P,)`."""
    mask = backend.keras_mask(y_pred)
    check_numbers(y_true := as_array(y_true))
    y_true = as_tensor(y_true)
    y_pred = wide(ops.stop_gradient(ops.convert_to_tensor(y_pred)))
    if len(y_pred.shape) == 1:
        y_pred = ops.expand_dims(y_pred, -1)
    targets = y_true
    if len(y_true.shape) == len(y_pred.shape) - 1 and y_pred.shape[axis] == 1:
        targets = ops.expand_dims(y_true, axis)
    if ignore_class is None and shapes_fit(targets.shape, y_pred.shape):
        targets = wide(targets)
        valid = ops.ones_like(ops.take(targets, 0, axis=axis), "bool")
        any_invalid = False
    else:
        labels = read_labels(y_true, y_pred.shape, ignore_class, axis, multi_label=True)
        targets = class_rows(labels, y_pred.shape[axis], axis)
        valid, any_invalid = labels.valid, ops.any(labels.invalid)
    if from_logits and y_pred.shape[axis] == 1:
        y_pred = ops.sigmoid(y_pred)
    elif from_logits:
        y_pred = ops.softmax(y_pred, axis=axis)
    if mask is not None:
        valid = ops.logical_and(valid, pixel_weights(mask, valid) > 0)
    weights = ops.reshape(pixel_weights(sample_weight, valid), (-1,))
    values = ops.stack(
        [
            ops.reshape(
                ops.moveaxis(mask_predictions(part, valid, axis), axis, -1),
                (-1, part.shape[axis]),
            )
            for part in (y_pred, ops.cast(targets, y_pred.dtype))
        ]
    )
    values, weights = ops.cast(values, "float32"), ops.cast(weights, "float32")
    return ops.where(any_invalid, float("nan"), values), weights


def _mean(values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The mean `(2, 1, outputs)` over all replicas, and whether any weight is set."""
    total = backend.sum_over_replicas(ops.sum(weights))
    sums = ops.sum(weights[:, None] * values, axis=1, keepdims=True)
    sums = backend.sum_over_replicas(sums)
    return sums / ops.where(total > 0, total, 1), total > 0


def _sums(values: Tensor, weights: Tensor, shift: Tensor) -> Tensor:
    """Weighted sums of deviations from `shift` and of their squares, `(2, 2, k)`."""
    deviations = values - shift
    weighted = weights[:, None] * deviations
    return ops.stack(
        [ops.sum(weighted, axis=1), ops.sum(weighted * deviations, axis=1)]
    )


def _spread(totals: Tensor, count: Tensor, relative: bool, which: int = 0) -> Tensor:
    means = totals / ops.where(count > 0, count, 1)
    variances = ops.maximum(means[1] - ops.square(means[0]), 0)
    if not relative:
        spread = ops.sqrt(ops.mean(variances[which]))
        return ops.where(count > 0, spread, float("nan"))
    varies = variances[1] > 0
    ratios = variances[0] / ops.where(varies, variances[1], 1)
    number = ops.sum(ops.cast(varies, "float32"))
    total = ops.sum(ops.where(varies, ratios, 0))
    spread = ops.sqrt(total / ops.where(number > 0, number, 1))
    return ops.where(number > 0, spread, float("nan"))
