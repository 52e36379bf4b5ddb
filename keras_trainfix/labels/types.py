"""Types of the arguments that describe labels, predictions and their weights."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

# Whatever the backend converts to a tensor: its own tensors, arrays, nested lists.
Tensor: TypeAlias = Any
IgnoreClass: TypeAlias = int | tuple[int, ...] | list[int] | None
ClassWeight: TypeAlias = Sequence[float] | np.ndarray | dict[int, Any] | None
