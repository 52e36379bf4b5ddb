"""Changes the weights of a `WeightedSum` while a model trains."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_trainfix.keras_internals import added_metrics
from keras_trainfix.losses.weighted_sum import WeightedSum

UNITS = ("epoch", "step")


class WeightSchedule(keras.callbacks.Callback):
    """Sets the weights of a `WeightedSum` by epoch or by step.

    The weights change in the compiled training function too, without compiling it
    again, and also hold for validation. A saved model keeps those that it has reached.
    At the end of each epoch they are in the logs and the history, as
    `weight_of_<name of the loss>`.

    Args:
        schedule: Function of the number of the epoch or step, from 0, that returns
            the weights: a list of floats, 0 or more, one for each loss.
        unit: `"epoch"` or `"step"`, what the function counts. Steps are those of the
            optimizer. Defaults to `"epoch"`.
        loss: The `WeightedSum` whose weights are set. Defaults to None, the only one
            that the model was compiled with.

    Raises:
        ValueError: If `unit` is unknown; when training begins, if the model has no
            `WeightedSum` or several; and during training, if the weights do not fit.

    Examples:
        The boundary loss takes over slowly, as in its paper.

        >>> from keras_trainfix import MaskedBoundary, MaskedSoftDice, WeightedSum
        >>> loss = WeightedSum([MaskedSoftDice(), MaskedBoundary()], [1.0, 0.0])
        >>> def weights(epoch):
        ...     alpha = max(0.01, 1 - 0.01 * epoch)
        ...     return [alpha, 1 - alpha]
        >>> callbacks = [WeightSchedule(weights)]
        >>> weights(25)
        [0.75, 0.25]

    Reference:
        [Kervadec et al., 2019](https://arxiv.org/abs/1812.07032), section 3.
    """

    def __init__(
        self,
        schedule: Callable[[int], Sequence[float]],
        unit: str = "epoch",
        loss: WeightedSum | None = None,
    ) -> None:
        super().__init__()
        if unit not in UNITS:
            raise ValueError(
                f"`unit` must be 'epoch' or 'step'. Received: unit={unit!r}."
            )
        self.schedule = schedule
        self.unit = unit
        self.loss = loss
        self._current: WeightedSum | None = None
        self._carrier: _Carrier | None = None
        self._first_step = 0

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        self._current = _only_sum(model) if self.loss is None else self.loss
        if self._current.variable is None:
            self._current.track_weights()
            # What is compiled already holds the weights as constants.
            model.train_function = model.test_function = None
        if keras.backend.backend() == "jax" and self._carrier is None:
            self._carrier = _Carrier(self._current.variable)
            added_metrics(model).append(self._carrier)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.unit == "epoch":
            self._set(epoch)
        else:
            self._first_step = int(self.model.optimizer.iterations)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.unit == "step":
            self._set(self._first_step + batch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is None or self._current is None:
            return
        for part, weight in zip(
            self._current.losses, self._current.weights, strict=True
        ):
            logs[f"weight_of_{part.name}"] = weight

    def on_train_end(self, logs: Any = None) -> None:
        metrics = added_metrics(self.model)
        metrics[:] = [metric for metric in metrics if metric is not self._carrier]
        self._carrier = None

    def _set(self, number: int) -> None:
        weights = [float(weight) for weight in self.schedule(number)]
        if self._current is not None and weights != self._current.weights:
            self.model  # noqa: B018 (on JAX, puts the state back into the variables)
            self._current.weights = weights


class _Carrier(keras.Metric):
    """Makes a variable part of the state that JAX hands to a compiled step.

    It shows no result, and keeps its value when metrics are reset.
    """

    def __init__(self, variable: keras.Variable) -> None:
        super().__init__(name="loss_weights")
        self.variable = variable

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing."""

    def result(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def reset_state(self) -> None:
        """Does nothing."""


def _only_sum(model: keras.Model) -> WeightedSum:
    losses = keras.tree.flatten(getattr(model, "loss", None))
    sums = {id(loss): loss for loss in losses if isinstance(loss, WeightedSum)}
    if len(sums) != 1:
        raise ValueError(
            "`WeightSchedule` needs a model that was compiled with one `WeightedSum`. "
            f"Received: a model with {len(sums)}, loss={getattr(model, 'loss', None)}. "
            "Pass the one whose weights it sets: `WeightSchedule(..., loss=loss)`."
        )
    return next(iter(sums.values()))
