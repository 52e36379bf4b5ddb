"""Sample weights of an output."""

import numpy as np


def weights_of(view):
    """The sample weights of an output, or None."""
    weights = view.snapshot.sample.sample_weight
    if isinstance(weights, dict):
        return weights.get(view.name)
    if isinstance(weights, (list, tuple)):
        return weights[view.index] if view.index < len(weights) else None
    return weights


def has_weight(view, count):
    """Which of `count` places, a flat mask, have a weight other than 0.

    All where there are no weights, or where they do not fit.
    """
    weights = weights_of(view)
    size = 0 if weights is None else np.size(weights)
    if not size or count % size:
        return np.ones(count, bool)
    return np.repeat(np.ravel(weights) != 0, count // size)
