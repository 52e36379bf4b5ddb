"""Several losses of the same predictions, computed together."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_trainfix.arguments import KnownNames
from keras_trainfix.labels.types import Tensor
from keras_trainfix.losses.distance_loss import DistanceLoss
from keras_trainfix.losses.masked_loss import MaskedLoss, scaled

SHARED = ("ignore_class", "from_logits", "multi_label", "axis")


@keras.saving.register_keras_serializable(package="keras_trainfix")
class WeightedSum(KnownNames, keras.Loss):
    """A weighted sum of masked losses, in one pass over the logits.

    The labels are read once, and region losses share one softmax and one gradient
    with cross-entropy. The value equals the sum of the losses computed separately.

    `0.5 * a + b` is the same as `WeightedSum([a, b], [0.5, 1.0])`.

    Args:
        losses: List of losses of this package that agree on `ignore_class`,
            `from_logits`, `multi_label` and `axis`, and whose reduction is a mean or
            a sum.
        weights: List of floats, 0 or more, one per loss. Defaults to None, 1 each. To
            change them during training, use `WeightSchedule`.
        name: String, the name of the loss.
        dtype: Dtype of the result. The arithmetic is float32 or wider.
        reduction: Ignored, because each loss has its own. Kept for `keras.Loss`.

    Call arguments:
        y_true: Labels, as the losses take them. Maps of distances may follow them if
            one of the losses takes these.
        y_pred: Predictions, `(N, ..., C)`.
        sample_weight: Weights that broadcast from the left.

    Raises:
        ValueError: If `losses` is empty or they disagree, or if `weights` do not fit.
        TypeError: If one of `losses` is not a loss of this package.

    Examples:
        >>> from keras_trainfix import MaskedCrossentropy, MaskedSoftDice
        >>> dice = MaskedSoftDice(from_logits=True)
        >>> crossentropy = MaskedCrossentropy(from_logits=True)
        >>> loss = WeightedSum([dice, crossentropy], weights=[1.0, 0.5])
        >>> labels = np.array([[0, 255, 1]])
        >>> round(float(loss(labels, np.zeros((1, 3, 2)))), 4)  # 0.5 + 0.5 * log(2)
        0.8466
    """

    def __init__(
        self,
        losses: Sequence[MaskedLoss],
        weights: Sequence[float] | None = None,
        name: str | None = "weighted_sum",
        dtype: Any = None,
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if isinstance(losses, keras.Loss):
            raise TypeError(
                "`losses` must be a list: WeightedSum([first, second], weights=[...]), "
                f"or first + second. Received: {losses!r}."
            )
        self.losses = list(losses)
        _check_losses(self.losses)
        self.variable: keras.Variable | None = None
        self.weights = [1.0] * len(self.losses) if weights is None else list(weights)

    @property
    def weights(self) -> list[float]:
        """The weights of the losses. Set them during training by `WeightSchedule`."""
        return list(self._weights)

    @weights.setter
    def weights(self, weights: Sequence[float]) -> None:
        given = [float(weight) for weight in weights]
        is_fitting = len(given) == len(self.losses)
        if not is_fitting or not all(0 <= weight < float("inf") for weight in given):
            raise ValueError(
                f"`weights` must be {len(self.losses)} numbers, 0 or more, one for "
                f"each loss. Received: weights={weights}."
            )
        self._weights = given
        if self.variable is not None:
            self.variable.assign(given)

    @classmethod
    def of(cls, parts: Sequence[Any]) -> "WeightedSum":
        """The sum of losses and of sums of them, each with its weights."""
        losses: list[Any] = []
        weights: list[float] = []
        for part in parts:
            is_sum = isinstance(part, WeightedSum)
            losses += part.losses if is_sum else [part]
            weights += part.weights if is_sum else [1.0]
        return cls(losses, weights)

    def __add__(self, other: Any) -> "WeightedSum":
        return self.of([self, other])

    def __radd__(self, other: Any) -> "WeightedSum":
        return self if other == 0 else self.of([other, self])  # 0: of `sum`

    def __mul__(self, factor: Any) -> Any:
        return scaled(self, factor)

    __rmul__ = __mul__

    @property
    def reader(self) -> MaskedLoss:
        """The loss that reads the labels, which may hold maps of distances, for all."""
        return max(self.losses, key=lambda loss: isinstance(loss, DistanceLoss))

    def track_weights(self) -> None:
        """From now on the weights are a variable, which compiled code reads.

        On JAX the variable must also be part of the state of the compiled function.
        """
        self.variable = keras.Variable(
            self._weights, trainable=False, dtype="float32", name="loss_weights"
        )

    def __call__(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        with keras.name_scope(self.name):
            needed = {term for loss in self.losses for term in loss.needed}
            pixels = self.reader.read(y_true, y_pred, sample_weight, sorted(needed))
            values = [loss.reduce(pixels, loss.reduction) for loss in self.losses]
            weights = self._weights
            if self.variable is not None:
                tracked = ops.cast(self.variable, values[0].dtype)
                weights = [tracked[index] for index in range(len(values))]
            total = sum(w * value for w, value in zip(weights, values, strict=True))
            return ops.cast(total, self.dtype)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return self(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "losses": [
                keras.saving.serialize_keras_object(loss) for loss in self.losses
            ],
            "weights": self.weights,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "WeightedSum":
        losses = [
            loss
            if isinstance(loss, keras.Loss)
            else keras.saving.deserialize_keras_object(loss)
            for loss in config["losses"]
        ]
        return cls(**{**config, "losses": losses})


def _check_losses(losses: Sequence[Any]) -> None:
    for loss in losses:
        if not isinstance(loss, MaskedLoss):
            raise TypeError(
                "`losses` must be losses of keras_trainfix, such as MaskedSoftDice "
                f"and MaskedCrossentropy. Received: {loss!r}. To combine other "
                "losses, give the model one output for each."
            )
        if loss.reduction in (None, "none"):
            raise ValueError(
                "`losses` must have a reduction: without one their values differ in "
                f"shape. Received: {loss.name} with reduction={loss.reduction!r}. Pass "
                "reduction='sum_over_batch_size'."
            )
    if not losses:
        raise ValueError("`losses` must not be empty. Received: losses=[].")
    for name in SHARED:
        values = [getattr(loss, name) for loss in losses]
        if any(value != values[0] for value in values):
            raise ValueError(
                f"`losses` must agree on `{name}` to share one pass. Received: "
                + ", ".join(
                    f"{loss.name} with {name}={value!r}"
                    for loss, value in zip(losses, values, strict=True)
                )
                + "."
            )
