"""Which learning rate to use, by what equal runs at several of them reached."""

from typing import NamedTuple

import numpy as np

from keras_trainfix.diagnosis.experiments.outcome import LOWEST, Outcome
from keras_trainfix.diagnosis.thresholds import (
    AS_GOOD,
    RATE_MARGIN,
    RUN_JUMPS,
    SKILL_SHOWN,
)


class Choice(NamedTuple):
    """What the runs say.

    Attributes:
        suggestion: Float, the rate to use, or None where no rate learns.
        edge: Float, the lowest rate at which a run diverges, or None.
    """

    suggestion: float | None
    edge: float | None


def choose(rates: np.ndarray, start: Outcome, outcomes: list[Outcome]) -> Choice:
    """The largest rate that is as good as the best, a margin below divergence.

    Args:
        rates: Array of rates, from the lowest.
        start: `Outcome` before the first step.
        outcomes: List of the `Outcome` of a run at each rate, all of the same weights
            and batches.

    Returns:
        `Choice`.
    """
    losses = _or_infinite([outcome.loss for outcome in outcomes])
    best = int(np.argmin(losses))
    diverges = _diverges(start, outcomes, losses)
    above = rates[best:][diverges[best:]]
    edge = float(above[0]) if len(above) else None
    if not _learns(start, outcomes[best]):
        return Choice(None, edge)
    safe = ~diverges
    if edge is not None:
        far = rates * RATE_MARGIN <= edge * (1 + 1e-6)
        safe = far if far.any() else safe
    lowest = losses[safe].min()
    good = safe & (losses <= lowest + (AS_GOOD - 1) * abs(lowest))
    return Choice(float(rates[good][-1]), edge)


def _diverges(start, outcomes, losses):
    """Whether each run ends above the start, or jumps above it on the way."""
    peaks = _or_infinite([outcome.losses.max() for outcome in outcomes])
    # The run at the lowest rate shows how much the loss differs between batches.
    usual = peaks[0] if np.isfinite(peaks[0]) else start.loss
    jumps = peaks > usual + (RUN_JUMPS - 1) * abs(usual)
    return jumps | (losses > start.loss) | ~np.isfinite(losses)


def _learns(start, outcome):
    """Whether a run ends with some skill, and with a lower loss.

    Skill by the loss counts for distances, which rank the other way than targets.
    """
    value = outcome.loss_skill if outcome.value == LOWEST else outcome.value
    return bool(value > SKILL_SHOWN and outcome.loss < start.loss)


def _or_infinite(values):
    values = np.array(values, "float64")
    return np.where(np.isfinite(values), values, np.inf)
