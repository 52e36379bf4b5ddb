"""Types of the arguments that describe labels, predictions and their weights."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from keras_trainfix.backend.tensors import Tensor

__all__ = ["ClassWeight", "IgnoreClass", "Tensor"]

IgnoreClass: TypeAlias = int | tuple[int, ...] | list[int] | None
ClassWeight: TypeAlias = Sequence[float] | np.ndarray | dict[int, Any] | None
