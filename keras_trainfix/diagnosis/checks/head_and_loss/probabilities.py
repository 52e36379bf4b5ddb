"""Whether predictions are probabilities: shared by the checks of heads and losses."""

from typing import Any

import numpy as np

ROUNDING = 1e-3  # of a probability, or of a sum of probabilities
SURE = 1e-3  # probability of the other class in a confident answer
STRAY = 0.05  # share of targets or predictions: up to here they may be outliers


def is_constant_softmax(view: Any) -> bool:
    """Whether all predictions are the 1.0 of a softmax over a single unit."""
    p = view.predictions
    is_one = view.head.activation == "softmax" and view.head.units == 1
    return is_one and bool((np.abs(p - 1) < ROUNDING).all())


def sums_to_one(view: Any) -> bool:
    """Whether predictions of an unknown head are nevertheless those of a softmax."""
    p = view.predictions
    if view.head.activation != "unknown" or view.head.units == 1:
        return False
    return bool(p.min() >= 0 and (np.abs(p.sum(view.class_axis) - 1) < ROUNDING).all())


def sums_to_one_elsewhere(view: Any) -> bool:
    """Whether predictions are those of a softmax along any axis but the class axis."""
    p = view.predictions
    axes = [axis for axis in range(p.ndim) if axis != view.class_axis]
    sums = (p.sum(axis, dtype="float64") for axis in axes)
    return any(np.abs(total - 1).max(initial=0) < ROUNDING for total in sums)
