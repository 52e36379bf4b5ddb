"""The mean of a loss over all valid pixels of a data set."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_trainfix import backend
from keras_trainfix.arguments import KnownNames
from keras_trainfix.labels.types import Tensor
from keras_trainfix.labels.weights import pixel_weights
from keras_trainfix.losses.masked_loss import MaskedLoss
from keras_trainfix.losses.weighted_sum import WeightedSum
from keras_trainfix.metrics import exact


@keras.saving.register_keras_serializable(package="keras_trainfix")
class MaskedMean(KnownNames, keras.Metric):
    """The mean of a loss over all valid pixels of an epoch.

    Keras reports a loss as the mean over batches. A batch with few valid pixels counts
    as much as one with many, so `val_loss` depends on the batch size. This metric is
    `sum(w * l) / sum(w)` over the data set, whatever the batches, with the weights of
    the loss; NaN if there is no valid pixel.

    Args:
        loss: A loss of this package, or a Keras loss that has a value for each pixel or
            sample: an instance, a function or a name. If it has `ignore_class`, its
            void pixels are left out. For a loss of images, such as `MaskedSoftDice`,
            the result is the mean over images. For a `WeightedSum`, use one metric for
            each of its losses.
        name: String, the name of the metric. Defaults to `None`: `"mean_"` followed by
            the name of the loss.
        dtype: Dtype of the result. Defaults to `None`, the dtype that Keras uses for
            metrics.

    Call arguments:
        y_true: Labels, in any form that `loss` accepts.
        y_pred: Predictions, in any form that `loss` accepts.
        sample_weight: Weights that broadcast from the left.

    Raises:
        TypeError: If `loss` has no values of pixels, images or samples.
        ValueError: As the loss.

    Examples:
        >>> from keras_trainfix import MaskedCrossentropy
        >>> metric = MaskedMean(MaskedCrossentropy())
        >>> metric.update_state(np.array([[0, 0]]), np.array([[[0.5, 0.5]] * 2]))
        >>> metric.update_state(np.array([[1, 255]]), np.array([[[0.9, 0.1]] * 2]))
        >>> round(float(metric.result()), 4)  # (2 * -log(0.5) - log(0.1)) / 3
        1.2296
    """

    def __init__(
        self,
        loss: keras.Loss | Callable[..., Any] | str,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        loss = keras.losses.get(loss) if isinstance(loss, str) else loss
        if isinstance(loss, WeightedSum) or not callable(loss):
            raise TypeError(
                "`loss` must be a loss with values for pixels, images or samples. "
                f"Received: loss={loss!r}. For a `WeightedSum`, pass one metric for "
                "each of its `losses`."
            )
        loss_name = loss.name if isinstance(loss, keras.Loss) else loss.__name__
        super().__init__(name=name or f"mean_{loss_name}", dtype=dtype)
        self.loss = loss
        self._direction = "down"  # Keras' callbacks read it to see what is better
        self._sums = self.add_variable((2, 2), "zeros", "float32", name="sums")

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> None:
        """Adds the values and weights of a batch."""
        values, weights = self._values(y_true, y_pred, sample_weight)
        values, weights = (
            ops.stop_gradient(ops.cast(x, "float32")) for x in (values, weights)
        )
        amounts = ops.stack([ops.sum(values * weights), ops.sum(weights)])
        self._sums.assign(exact.add_to_pair(self._sums, amounts))

    def result(self) -> Tensor:
        """The mean so far, a scalar."""
        sums = backend.sum_over_processes(ops.convert_to_tensor(self._sums))
        sums = sums[0] + sums[1]
        total, weight = sums[0], sums[1]
        mean = total / ops.where(weight > 0, weight, 1)
        return ops.cast(ops.where(weight > 0, mean, float("nan")), self.dtype)

    def merge_state(self, metrics: Any) -> None:
        """Adds the sums of other metrics of the same loss.

        Args:
            metrics: A `MaskedMean` or an iterable of them.
        """
        for metric in metrics if isinstance(metrics, (list, tuple)) else [metrics]:
            pair = exact.add_to_pair(self._sums, metric._sums[0])
            self._sums.assign(exact.add_to_pair(pair, metric._sums[1]))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "loss": keras.saving.serialize_keras_object(self.loss),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MaskedMean":
        loss = config["loss"]
        if isinstance(loss, dict):
            loss = keras.saving.deserialize_keras_object(loss)
        return cls(**{**config, "loss": loss})

    def _values(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        if isinstance(self.loss, MaskedLoss):
            pixels = self.loss.read(y_true, y_pred, sample_weight)
            return self.loss.values(pixels)
        function = getattr(self.loss, "call", self.loss)  # the loss before reduction
        values = function(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
        if not len(values.shape):
            raise TypeError(
                "`loss` must have a value for each pixel or sample before it is "
                f"reduced. Received: loss={self.loss!r}, whose value is a scalar. Use "
                "a loss of keras_trainfix instead, such as `MaskedSoftDice`."
            )
        mask = backend.keras_mask(values)
        valid = ops.ones_like(values, "bool") if mask is None else mask
        return ops.where(valid, values, 0), pixel_weights(sample_weight, valid)
