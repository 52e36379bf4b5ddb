"""What the losses share: a base class, its function form, weighting and averaging."""

import functools
import inspect
import numbers
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import keras
from keras import ops

from keras_trainfix import backend
from keras_trainfix.arguments import KnownNames, check_names
from keras_trainfix.labels import ignored_ids
from keras_trainfix.labels.types import ClassWeight, IgnoreClass, Tensor
from keras_trainfix.labels.weights import standard_class_weight
from keras_trainfix.losses.pixels import Pixels

MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")

Function = TypeVar("Function", bound=Callable)


class MaskedLoss(KnownNames, keras.Loss):
    """Base of losses that leave void pixels out, in value and gradient.

    A subclass sets `core`: a pure function of the `Pixels` of a batch, `class_weight`
    and the `settings`. It returns the values of pixels `(N, K, L)`, of images `(N,)`
    or of the batch `(1,)`, and as many weights.

    Args:
        ignore_class: Integer, tuple of integers, or None: ids of void labels.
        from_logits: Whether predictions are logits rather than probabilities.
        class_weight: List, array or dict of class weights, or None.
        multi_label: Whether each class has its own sigmoid.
        axis: Integer, the class axis of the predictions.
        reduction: String of `keras.losses`, or None.
        name: String, the name of the loss.
        dtype: Dtype of the result, or a dtype policy. The arithmetic is float32 or
            wider regardless, and labels are never cast to it.
        **settings: The arguments of `core`, kept as attributes.
    """

    core: Callable[..., tuple[Tensor, Tensor]]  # a static method
    needed: tuple[str, ...] = ()  # the terms that `core` asks of `Pixels`
    may_be_negative = False

    def __init__(
        self,
        ignore_class: IgnoreClass,
        from_logits: bool,
        class_weight: ClassWeight,
        multi_label: bool,
        axis: int,
        reduction: str | None,
        name: str | None,
        dtype: Any,
        **settings: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        _check_reduction(reduction)
        self.reduction = reduction  # older versions of Keras do not know all of them
        ignored_ids(ignore_class)
        self.ignore_class = ignore_class
        self.from_logits = from_logits
        self.class_weight = standard_class_weight(class_weight)
        self.multi_label = multi_label
        self.axis = axis
        self.settings = tuple(settings)
        for key, value in settings.items():
            setattr(self, key, value)

    def __call__(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        with keras.name_scope(self.name):
            pixels = self.read(y_true, y_pred, sample_weight)
            return ops.cast(self.reduce(pixels, self.reduction), self.dtype)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The values before reduction: of pixels, of images or of the batch."""
        return ops.cast(self.reduce(self.read(y_true, y_pred), "none"), self.dtype)

    def read(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        needed: Iterable[str] | None = None,
    ) -> Pixels:
        """The `Pixels` of a batch, read with the settings of this loss."""
        return Pixels(
            y_true,
            y_pred,
            sample_weight=sample_weight,
            ignore_class=self.ignore_class,
            from_logits=self.from_logits,
            multi_label=self.multi_label,
            axis=self.axis,
            needed=self.needed if needed is None else needed,
            dtype=self.dtype,
        )

    def reduce(self, pixels: Pixels, reduction: str | None) -> Tensor:
        """The loss of `Pixels`."""
        values, weights = self.values(pixels)
        return reduce_loss(pixels, values, weights, reduction)

    def values(self, pixels: Pixels) -> tuple[Tensor, Tensor]:
        """The values and weights of `Pixels` before reduction."""
        settings = {key: getattr(self, key) for key in self.settings}
        return type(self).core(pixels, self.class_weight, **settings)

    def __add__(self, other: Any) -> Any:
        return _sum_of(self, other)

    def __radd__(self, other: Any) -> Any:
        return self if other == 0 else _sum_of(other, self)  # 0: of `sum`

    def __mul__(self, factor: Any) -> Any:
        return scaled(self, factor)

    __rmul__ = __mul__

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "ignore_class": self.ignore_class,
            "from_logits": self.from_logits,
            "class_weight": self.class_weight,
            "multi_label": self.multi_label,
            "axis": self.axis,
            **{key: getattr(self, key) for key in self.settings},
        }


def _sum_of(one: Any, other: Any) -> Any:
    """The `WeightedSum` of two losses."""
    from keras_trainfix.losses.weighted_sum import WeightedSum  # stands above

    return WeightedSum.of([one, other])


def scaled(loss: Any, factor: Any) -> Any:
    """A loss times a number, as a `WeightedSum`."""
    from keras_trainfix.losses.weighted_sum import WeightedSum  # stands above

    if not isinstance(factor, numbers.Real):
        return NotImplemented
    sum_of_it = WeightedSum.of([loss])
    return WeightedSum(sum_of_it.losses, [float(factor) * w for w in sum_of_it.weights])


def function_of(loss_class: type[MaskedLoss]) -> Callable[[Function], Function]:
    """Decorator that implements a function by the loss class with its settings.

    The function declares a signature and a docstring, and needs no body. Its result
    is float32 or wider under any dtype policy.
    """

    def implement(declared: Function) -> Function:
        signature = inspect.signature(declared)

        @functools.wraps(declared)
        def function(*args: Any, **kwargs: Any) -> Tensor:
            check_names(declared, kwargs)
            settings = signature.bind(*args, **kwargs).arguments
            batch = settings.pop("y_true"), settings.pop("y_pred")
            sample_weight = settings.pop("sample_weight", None)
            loss = loss_class(**settings, dtype="float32")
            return loss.reduce(loss.read(*batch, sample_weight), loss.reduction)

        function.loss_class = loss_class  # type: ignore[attr-defined]
        return function  # type: ignore[return-value]

    return implement


def reduce_loss(
    pixels: Pixels, values: Tensor, weights: Tensor, reduction: str | None
) -> Tensor:
    """The weighted mean, or sum, of the values of pixels or images.

    Args:
        pixels: The `Pixels` that `values` belong to.
        values: Float tensor, finite wherever `weights` are 0.
        weights: Float tensor of the shape of `values`.
        reduction: String of `keras.losses`, or None. All means are the same:
            `sum(weights * values) / sum(weights)`, or 0 if all weights are 0. Under
            `tf.distribute` they are means over all replicas.

    Returns:
        Float tensor. NaN if any label is neither a class nor ignored: compiled code
        cannot raise, and eager code already has.
    """
    weighted = weights * values
    unknown = ops.where(pixels.any_invalid, float("nan"), 0.0)
    unknown = ops.cast(unknown, weighted.dtype)
    if reduction in (None, "none"):
        is_pixelwise = len(values.shape) == 3
        weighted = ops.reshape(weighted, pixels.shape) if is_pixelwise else weighted
        return weighted + unknown
    # One axis at a time keeps the sum precise.
    total, weight = weighted, weights
    while len(total.shape):
        total, weight = ops.sum(total, axis=-1), ops.sum(weight, axis=-1)
    if reduction in MEANS:
        weight = backend.sum_over_replicas(ops.stop_gradient(weight))
        total = total / ops.where(weight > 0, weight, 1)
    return total + unknown


def _check_reduction(reduction: str | None) -> None:
    """Raises unless `reduction` is one of Keras'."""
    if reduction not in (*MEANS, "sum", "none", None):
        raise ValueError(
            f"`reduction` must be one of {', '.join(map(repr, MEANS))}, 'sum', 'none' "
            f"or None. Received: reduction={reduction!r}."
        )
