"""The weights of pixels and of classes."""

import numbers
from typing import Any

import numpy as np
from keras import ops

from keras_trainfix import backend
from keras_trainfix.labels.dtypes import wide
from keras_trainfix.labels.shapes import same_size, static_shape
from keras_trainfix.labels.types import ClassWeight, Tensor


def pixel_weights(sample_weight: Tensor | None, valid: Tensor) -> Tensor:
    """One weight per pixel, 0 where it is not valid.

    `sample_weight` broadcasts from the left: its first axis is the batch, the second
    the second axis of `valid`, and so on, so that `(N,)` weighs samples whatever the
    sizes of the images.

    Args:
        sample_weight: Array or tensor of shape `()`, `(N,)`, `(N, 1, 1)`, `(N, H, W)`
            or any other beginning of the pixel shape, where any size may be 1 and one
            more trailing 1 is allowed; or None for 1 everywhere.
        valid: Boolean tensor of the pixel shape.

    Returns:
        Tensor of the pixel shape, float32 (float64 if that arrived).

    Raises:
        ValueError: If `sample_weight` does not fit.

    Examples:
        >>> import keras
        >>> weights = pixel_weights(np.array([2, 3]), np.array([[True, False]] * 2))
        >>> keras.ops.convert_to_numpy(weights).tolist()
        [[2.0, 0.0], [3.0, 0.0]]
    """
    if sample_weight is None:
        return ops.cast(valid, "float32")
    weights = wide(ops.convert_to_tensor(sample_weight))
    shape, pixels = static_shape(weights.shape), static_shape(valid.shape)
    if len(shape) == len(pixels) + 1 and shape[-1] == 1:
        weights, shape = ops.squeeze(weights, -1), shape[:-1]
    ones = (1,) * (len(pixels) - len(shape))
    fits = [n == 1 or same_size(n, m) for n, m in zip(shape, pixels, strict=False)]
    if len(shape) > len(pixels) or not all(fits):
        raise ValueError(
            "`sample_weight` must have the first axes of the labels, or axes of size "
            "1: (N,) weighs samples, (N, H, W) pixels. Received: "
            f"sample_weight.shape={shape}, labels of shape {pixels}. To weigh other "
            "axes, insert axes of size 1, as in `sample_weight[None, :, None]`."
        )
    for _ in ones:
        weights = ops.expand_dims(weights, -1)
    return ops.where(valid, weights, 0)


def class_weight_vector(class_weight: ClassWeight, num_classes: int) -> np.ndarray:
    """The weights of all classes as a NumPy float32 vector.

    Args:
        class_weight: List, array or tensor with one weight per class; or dict from
            class to weight, where missing classes weigh 1, as in Keras' `fit`.
        num_classes: Integer.

    Returns:
        NumPy array of shape `(num_classes,)`.

    Raises:
        ValueError: If a weight is negative or not finite, if there are too many or
            too few, or if the dict names an unknown class.

    Examples:
        >>> class_weight_vector({2: 5}, num_classes=3).tolist()
        [1.0, 1.0, 5.0]
    """
    weights = class_weight
    if isinstance(class_weight, dict):
        unknown = [key for key in class_weight if key not in range(num_classes)]
        if unknown:
            raise ValueError(
                f"`class_weight` must have classes 0 to {num_classes - 1} as its keys. "
                f"Received: class_weight={class_weight}, with unknown classes "
                f"{unknown}. Remove them, or give the model more outputs."
            )
        weights = [class_weight.get(index, 1.0) for index in range(num_classes)]
    vector = _vector(weights)
    if vector.shape != (num_classes,):
        raise ValueError(
            f"`class_weight` must have one weight for each of the {num_classes} "
            f"classes. Received: class_weight={class_weight} of shape {vector.shape}. "
            "A dict may leave classes out."
        )
    _check_values(vector, class_weight)
    return vector


def standard_class_weight(class_weight: ClassWeight) -> Any:
    """`class_weight` as a list or dict of Python numbers, which JSON can hold.

    Raises:
        ValueError: If a weight is negative or not finite.
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, str):
        raise ValueError(
            "`class_weight` must be a list with one weight per class, or a dict. "
            f"Received: class_weight={class_weight!r}. Balanced weights are those of "
            "`keras_trainfix.class_weights_from_labels(y, num_classes)`."
        )
    if isinstance(class_weight, dict):
        vector = _vector(list(class_weight.values()))
        _check_values(vector, class_weight)
        return dict(zip(map(_class_id, class_weight), vector.tolist(), strict=True))
    vector = _vector(class_weight)
    _check_values(vector, class_weight)
    return vector.tolist()


def _vector(weights: Any) -> np.ndarray:
    weights = backend.to_numpy(weights) if ops.is_tensor(weights) else weights
    return np.asarray(weights, "float32")


def _check_values(vector: np.ndarray, class_weight: ClassWeight) -> None:
    if not np.all(np.isfinite(vector) & (vector >= 0)):
        raise ValueError(
            "`class_weight` must be finite and not negative. Received: "
            f"class_weight={class_weight}. A weight of 0 leaves a class out."
        )


def _class_id(key: Any) -> Any:
    """A key of `class_weight` as an integer if it is one; JSON turns keys to text."""
    is_whole = isinstance(key, numbers.Real) and float(key).is_integer()
    is_text = isinstance(key, str) and key.isdecimal()
    return int(key) if is_whole or is_text else key
