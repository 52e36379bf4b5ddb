"""What a trial measures: gradients of the first step, and losses at several rates."""

from typing import Any, NamedTuple

import numpy as np

NEARLY = 0.1  # of the loss, by which a gain is not better than another


NOT_COMPILED = "Loss and learning rate were not judged: the model is not compiled."


class NoTrial(ValueError):
    """A trial is not possible; the message is a sentence for the report."""


class Gradient(NamedTuple):
    """The gradient of one weight in the first step.

    Attributes:
        layer: The name of its layer.
        is_kernel: Whether it has two axes or more.
        size: Root mean square of the gradient; 0 where the loss does not depend on it.
        weight: Root mean square of the weight.
        update: Root mean square of the first step of it.
        decay: Root mean square of the gradient of its regularizer.
        is_cut: Whether the gradient is 0 in the first step and in the last.
    """

    layer: str
    is_kernel: bool
    size: float
    weight: float
    update: float
    decay: float
    is_cut: bool = False


class TrialRun(NamedTuple):
    """Some steps from the same weights, on the same batches in the same order.

    Attributes:
        factor: Float, of the learning rate that is compiled.
        losses: Array: the loss of each step in training mode, penalties included.
        steps: Integer, the number of steps that were planned.
        predictions: List of arrays, one an output: in training mode, afterwards.
        dead: Share of the ReLU units that are 0 for all samples, in the worst layer.
    """

    factor: float
    losses: np.ndarray
    steps: int
    predictions: list
    dead: float

    @property
    def end(self) -> float:
        """The mean loss of the last steps; infinite where one is not finite."""
        if not np.isfinite(self.losses).all():
            return float("inf")
        first = min(first_of_last(self.steps), len(self.losses) - 1)
        return float(np.mean(self.losses[first:]))

    @property
    def is_cut(self) -> bool:
        """Whether time ran out before its end could be judged."""
        too_short = len(self.losses) <= first_of_last(self.steps)
        return too_short and bool(np.isfinite(self.losses).all())


class Trial(NamedTuple):
    """What a few steps do.

    Attributes:
        is_fresh: Whether it began from weights that no step has changed.
        rate: The learning rate that is compiled.
        batch: Samples in a step.
        steps: Steps of a run.
        start: The loss without a step, on the batches of the last steps of a run, in
            training mode, penalties included.
        penalty: What regularizers add to it.
        spread: What differs between samples in the last hidden layer, of what does in
            the first, before the first step.
        gradients: List of `Gradient`, in the order of the weights.
        runs: Dict of the factor to the `TrialRun`.
        overfit: `TrialRun` on 8 samples at the best of these rates, or None.
    """

    is_fresh: bool
    rate: float
    batch: int
    steps: int
    start: float
    penalty: float
    spread: float
    gradients: list
    runs: dict
    overfit: Any

    def gain(self, factor: float) -> float:
        """The share of the loss that a run takes away; NaN if it was not tried."""
        trial_run = self.runs.get(factor)
        if trial_run is None or trial_run.is_cut:
            return float("nan")
        return (self.start - trial_run.end) / (abs(self.start) or 1.0)

    def best_lower(self, nearly: float = NEARLY) -> float | None:
        """The highest factor below 1 that does about as well as the best; or None."""
        gains = {factor: self.gain(factor) for factor in self.runs if factor < 1}
        best = max((gain for gain in gains.values() if gain > 0), default=None)
        if best is None:
            return None
        return max(factor for factor, gain in gains.items() if gain > best - nearly)


def first_of_last(steps: int) -> int:
    """The step from which on the losses of a run count as its end."""
    return steps * 2 // 3
