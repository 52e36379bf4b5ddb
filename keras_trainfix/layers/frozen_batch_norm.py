"""Batch normalization whose statistics never move."""

import sys

import keras

from keras_trainfix.keras_internals import is_weights_io


class _SharesCheckpoints(type(keras.layers.BatchNormalization)):  # type: ignore[misc]
    """Lets weights files fit both `FrozenBatchNorm` and `BatchNormalization`.

    Keras addresses a layer inside a weights file by the snake-cased name of its
    class. Were that `frozen_batch_norm`, no checkpoint would survive a freeze, and
    after a partial one the remaining `batch_normalization_<k>` would silently be
    read into the wrong layers. So the code that reads and writes weights files,
    and nothing else, is told the name of the parent class.
    """

    @property
    def __name__(cls):
        name = type.__dict__["__name__"].__get__(cls)
        caller = sys._getframe(1).f_globals.get("__name__")
        return "BatchNormalization" if is_weights_io(caller) else name


@keras.saving.register_keras_serializable(package="keras_trainfix")
class FrozenBatchNorm(keras.layers.BatchNormalization, metaclass=_SharesCheckpoints):
    """Batch normalization with frozen statistics and trainable gamma and beta.

    The layer always normalizes with its moving mean and moving variance and never
    updates them, whatever `training`, `trainable` or the recorded call says:

        y = gamma * (x - moving_mean) / sqrt(moving_variance + epsilon) + beta

    `gamma` and `beta` train unless `trainable=False`. (torchvision's
    `FrozenBatchNorm2d` freezes these two as well: that is `trainable=False` here.)
    Training and inference compute the same function, so neither small batches nor
    few steps can open a gap between them.

    It has the configuration and the weights of `keras.layers.BatchNormalization`:
    `set_weights`, `.weights.h5` files and checkpoints of one load into the other.
    To convert the layers of a whole model use `keras_trainfix.freeze_batch_norm`.

    The arithmetic is float32 or wider whatever the dtype policy. Masks are passed
    on and change nothing, since no statistics are computed.

    Args:
        axis: Integer, the channel axis. Defaults to `-1`.
        momentum: Float, kept for `unfreeze_batch_norm`; unused while frozen.
            Defaults to `0.99`.
        epsilon: Float added to the variance. Defaults to `1e-3`.
        center: Whether there is a `beta`. Defaults to `True`.
        scale: Whether there is a `gamma`. Defaults to `True`.
        synchronized: Kept for `unfreeze_batch_norm`, and accepted on every backend,
            since frozen statistics need no synchronization. Defaults to `False`.
        **kwargs: All other arguments of `keras.layers.BatchNormalization`
            (initializers, regularizers, constraints, `name`, `dtype`).

    Call arguments:
        inputs: Tensor of any rank, `(batch, ...)`, with the channels on `axis`.
        training: Ignored.
        mask: Ignored, and passed on.

    Raises:
        ValueError: If `axis` is not an axis of the inputs, or if the number of
            channels is not known when the layer is built.

    Examples:
        >>> layer = FrozenBatchNorm(epsilon=0.0)
        >>> x = keras.ops.convert_to_tensor([[5.0, 6.0], [7.0, 9.0]])
        >>> y = layer(x, training=True)  # mean 0 and variance 1 are used, and stay
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
        axis=-1,
        momentum=0.99,
        epsilon=1e-3,
        center=True,
        scale=True,
        *,
        synchronized=False,
        **kwargs,
    ):
        super().__init__(
            axis=axis,
            momentum=momentum,
            epsilon=epsilon,
            center=center,
            scale=scale,
            **kwargs,
        )
        self.synchronized = synchronized

    def build(self, input_shape):
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
                "Give that axis a size in `keras.Input`, or name another axis."
            )
        super().build(input_shape)

    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=False)
