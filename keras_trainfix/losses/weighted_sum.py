"""Several losses of the same predictions, computed together."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_trainfix.labels.types import Tensor
from keras_trainfix.losses.distance_loss import DistanceLoss
from keras_trainfix.losses.masked_loss import MaskedLoss

SHARED = ("ignore_class", "from_logits", "multi_label", "axis")


@keras.saving.register_keras_serializable(package="keras_trainfix")
class WeightedSum(keras.Loss):
    """A weighted sum of masked losses, in one pass over the logits.

    The labels are read once, and region losses share one softmax and one gradient
    with cross-entropy. The value equals the sum of the losses computed separately.

    Args:
        losses: List of losses of this package that agree on `ignore_class`,
            `from_logits`, `multi_label` and `axis`, and whose reduction is a mean or
            a sum.
        weights: List of floats, 0 or more, one per loss. Defaults to None, 1 each.
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
        self.losses = list(losses)
        _check_losses(self.losses)
        given = [1.0] * len(self.losses) if weights is None else weights
        self.weights = [float(weight) for weight in given]
        is_fitting = len(self.weights) == len(self.losses)
        if not is_fitting or not all(0 <= w < float("inf") for w in self.weights):
            raise ValueError(
                f"`weights` must be {len(self.losses)} numbers, 0 or more, one for "
                f"each loss. Received: weights={weights}."
            )

    def __call__(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        with keras.name_scope(self.name):
            needed = {term for loss in self.losses for term in loss.needed}
            reader = max(self.losses, key=lambda loss: isinstance(loss, DistanceLoss))
            pixels = reader.read(y_true, y_pred, sample_weight, sorted(needed))
            total = sum(
                weight * loss.reduce(pixels, loss.reduction)
                for loss, weight in zip(self.losses, self.weights, strict=True)
            )
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
