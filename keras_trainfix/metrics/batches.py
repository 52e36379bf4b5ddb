"""Runs a function of a batch in eager code, compiled where that is faster."""

import functools
import math
from collections.abc import Callable
from typing import Any

from keras_trainfix import backend
from keras_trainfix.labels.dtypes import as_tensor
from keras_trainfix.labels.types import Tensor


def run(function: Callable[..., Any], tensors: Any, *settings: Any) -> Any:
    """The result of `function(*tensors, *settings)`.

    Args:
        function: Function of tensors and of settings that can be hashed.
        tensors: Arrays, tensors or None; the second is the predictions.
        *settings: The further arguments of `function`.
    """
    tensors = [None if x is None else as_tensor(x) for x in tensors]
    shapes = tuple(None if x is None else (tuple(x.shape), x.dtype) for x in tensors)
    return compiled(function, settings, shapes)(*tensors)


@functools.lru_cache(maxsize=256)
def compiled(
    function: Callable[..., Any], settings: tuple[Any, ...], shapes: Any
) -> Callable[..., Tensor]:
    """The function for the shapes and dtypes of a batch."""
    (shape, _) = shapes[1]

    def of_tensors(*tensors: Tensor) -> Any:
        return function(*tensors, *settings)

    return backend.compiled(of_tensors, math.prod(shape))
