"""Skill by the loss: how much better answers fit their own targets than shuffled ones.

It needs no best constant and no scale, so it judges any loss. It is blind to a loss
with the wrong sign, which the task's own measure sees.
"""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.diagnosis.observe.loss import losses_of
from keras_trainfix.diagnosis.observe.loss_value import value_of

ORDERS = 6  # of the targets
FEWEST = 16  # samples
SAME = 1e-6  # of the loss: a difference by rounding


class LossSkill(NamedTuple):
    """How a loss rates answers for their own targets and for shuffled ones.

    Attributes:
        value: `(permuted - loss) / |permuted|`: 0 if the answers fit other targets as
            well, up to 1.
        spread: Float, the standard deviation of that over the orders.
        loss: Float, of the targets as they are.
        permuted: Float, the mean over targets in other orders.
        reads_targets: Whether the loss depends on the targets at all.
    """

    value: float
    spread: float
    loss: float
    permuted: float
    reads_targets: bool

    @property
    def is_absent(self) -> bool:
        """Whether the answers fit other targets as well as their own."""
        return self.reads_targets and self.value < max(0.01, 3 * self.spread)


def loss_skill(view: Any) -> LossSkill | None:
    """The `LossSkill` of an output.

    Args:
        view: `OutputView`.

    Returns:
        `LossSkill`, or None where there is no compiled loss, no target, a loss that
        cannot be computed, or too few samples.
    """
    loss = losses_of(view.model, view.names)[view.index]
    targets = view.targets
    if loss is None or targets is None or len(targets) < FEWEST:
        return None
    return skill_by(lambda y: value_of(loss, y, view.predictions), np.asarray(targets))


def skill_by(rate: Any, targets: np.ndarray, number: int = ORDERS) -> LossSkill | None:
    """The `LossSkill` of a function that rates targets for the same answers.

    Args:
        rate: Function of targets that returns a float, or None.
        targets: Array `(N, ...)`.
        number: Integer, how many other orders of the targets to rate.

    Returns:
        `LossSkill`, or None where a value is not finite.

    Examples:
        >>> answers = np.arange(32.0)
        >>> skill = skill_by(lambda y: np.mean((y - answers) ** 2), np.arange(32.0))
        >>> skill.value, skill.reads_targets
        (1.0, True)
    """
    loss = rate(targets)
    if loss is None:
        return None
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(targets)) for _ in range(number)]
    others = [rate(targets[order]) for order in orders]
    if any(other is None for other in others):
        return None
    permuted = float(np.mean(others))
    size = abs(permuted) or abs(loss) or 1.0
    reads = any(abs(other - loss) > SAME * size for other in others)
    reads = reads or _depends(rate, targets, loss, size)
    value = float((permuted - loss) / size)
    return LossSkill(value, float(np.std(others) / size), loss, permuted, bool(reads))


def _depends(rate, targets, loss, size):
    """Whether other targets of the same kind change the loss."""
    if targets.dtype.kind not in "biuf":
        return True
    with np.errstate(all="ignore"):
        opposite = targets.max() - targets + targets.min()
    for other in (opposite, np.repeat(targets[:1], len(targets), 0)):
        value = rate(other.astype(targets.dtype))
        if value is not None and abs(value - loss) > SAME * size:
            return True
    return False
