"""Batch normalization with frozen statistics."""

import sys
from collections.abc import Sequence
from typing import Any

import keras

from keras_trainfix.keras_internals import is_weights_io


class _SharesCheckpoints(type(keras.layers.BatchNormalization)):  # type: ignore[misc]
    """Lets weights files fit both `FrozenBatchNorm` and `BatchNormalization`.

    Keras addresses a layer inside a weights file by the snake-cased name of its
    class. With `frozen_batch_norm` there, no checkpoint would survive a freeze, and
    after a partial freeze the remaining `batch_normalization_<k>` would silently be
    loaded into the wrong layers. So the code that reads and writes weights files, and
    only that code, gets the name of the parent class.
    """

    @property
    def __name__(cls) -> str:
        name: str = type.__dict__["__name__"].__get__(cls)
        caller = sys._getframe(1).f_globals.get("__name__")
        return "BatchNormalization" if is_weights_io(caller) else name


@keras.saving.register_keras_serializable(package="keras_trainfix")
class FrozenBatchNorm(keras.layers.BatchNormalization, metaclass=_SharesCheckpoints):
    """Batch normalization with frozen statistics and trainable gamma and beta.

    The layer always normalizes with its moving mean and moving variance and never
    updates them, whatever the values of `training` and `trainable`:

        y = gamma * (x - moving_mean) / sqrt(moving_variance + epsilon) + beta

    `gamma` and `beta` train unless `trainable=False`. (torchvision's
    `FrozenBatchNorm2d` freezes them as well; for that, set `trainable=False`.)
    Training and inference compute the same function, so neither small batches nor
    few steps can open a gap between them.

    The configuration and the weights are those of `keras.layers.BatchNormalization`:
    `set_weights`, `.weights.h5` files and checkpoints of one load into the other.
    To convert the layers of a whole model use `keras_trainfix.freeze_batch_norm`.

    The layer computes in float32 or wider, whatever the dtype policy. It passes masks
    on and ignores them otherwise, because it computes no statistics.

    Args:
        axis: Integer, the channel axis. Defaults to `-1`.
        momentum: Float, kept for `unfreeze_batch_norm`; unused while frozen.
            Defaults to `0.99`.
        epsilon: Float, added to the variance. Defaults to `1e-3`.
        center: Boolean, whether the layer has a `beta`. Defaults to `True`.
        scale: Boolean, whether the layer has a `gamma`. Defaults to `True`.
        synchronized: Boolean, kept for `unfreeze_batch_norm`; accepted on every
            backend, because frozen statistics need no synchronization. Defaults to
            `False`.
        **kwargs: All other arguments of `keras.layers.BatchNormalization`
            (initializers, regularizers, constraints, `name`, `dtype`).

    Call arguments:
        inputs: Float tensor `(batch, ...)` of any rank, with the channels on `axis`.
        training: Ignored.
        mask: Boolean tensor or None, ignored and passed on.

    Raises:
        ValueError: If `axis` is not an axis of the inputs, or if the number of
            channels is unknown when the layer is built.

    Examples:
        >>> layer = FrozenBatchNorm(epsilon=0.0)
        >>> x = keras.ops.convert_to_tensor([[5.0, 6.0], [7.0, 9.0]])
        >>> y = layer(x, training=True)  # with mean 0 and variance 1, which stay
        >>> keras.ops.convert_to_numpy(keras.ops.stop_gradient(y)).tolist()
        [[5.0, 6.0], [7.0, 9.0]]
        >>> [weight.name for weight in layer.trainable_weights]
        ['gamma', 'beta']

    Reference:
        [Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167); frozen
        statistics for fine-tuning: [He et al., 2015](https://arxiv.org/abs/1512.03385).
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        *,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis=axis,
            momentum=momentum,
            epsilon=epsilon,
            center=center,
            scale=scale,
            **kwargs,
        )
        self.synchronized = synchronized

    def build(self, input_shape: Sequence[int | None]) -> None:
        rank = len(input_shape)
        if not -rank <= self.axis < rank:
            raise ValueError(
                f"`axis` of layer '{self.name}' must be an axis of the inputs, from "
                f"{-rank} to {rank - 1}. Received: axis={self.axis}, "
                f"input_shape={tuple(input_shape)}."
            )
        if input_shape[self.axis] is None:
            raise ValueError(
                f"Layer '{self.name}' needs a known number of channels on `axis`. "
                f"Received: axis={self.axis}, input_shape={tuple(input_shape)}. "
                "Set the size of that axis in `keras.Input`, or choose another axis."
            )
        super().build(input_shape)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        return super().call(inputs, training=False)
