"""Runs a function of a batch in eager code, compiled where that is faster."""

from collections.abc import Callable
from typing import Any

from keras_trainfix import backend
from keras_trainfix.labels.dtypes import as_tensor


def run(function: Callable[..., Any], batch: Any, *settings: Any) -> Any:
    """The result of `function(*batch, *settings)`.

    Args:
        function: Function of tensors and of settings that can be hashed.
        batch: Arrays, tensors or None.
        *settings: The further arguments of `function`.
    """
    tensors = [None if x is None else as_tensor(x) for x in batch]
    return backend.run_compiled(function, tensors, *settings)
