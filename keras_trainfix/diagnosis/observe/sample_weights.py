"""Sample weights of an output."""

from typing import Any

import numpy as np


def weights_of(view: Any) -> Any:
    """The sample weights of an output, or None."""
    weights = view.snapshot.sample.sample_weight
    if isinstance(weights, dict):
        return weights.get(view.name)
    if isinstance(weights, (list, tuple)):
        return weights[view.index] if view.index < len(weights) else None
    return weights


def has_weight(view: Any, count: int) -> np.ndarray:
    """A flat mask of the `count` places whose weight is not 0.

    All of them if there are no weights, or if these do not fit.
    """
    weights = weights_of(view)
    size = 0 if weights is None else np.size(weights)
    if not size or count % size:
        return np.ones(count, bool)
    return np.repeat(np.ravel(weights) != 0, count // size)
