"""What the bench showed: each treatment that was tried, and what follows from all."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from keras_trainfix.diagnosis.experiments.breakdown import Breakdown
from keras_trainfix.diagnosis.experiments.lag import Lag
from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.outcome import LOWEST, Outcome
from keras_trainfix.diagnosis.experiments.planned import Planned
from keras_trainfix.diagnosis.experiments.treatment import Treatment
from keras_trainfix.diagnosis.thresholds import EFFECT, LEARNS

CURED = 0.7  # skill with which one treatment is enough
ALIKE = 0.15  # gain within which the smaller intervention is the better one
HARDLY = 0.05  # gain within which a copy is as good as another
OPPOSITE = -0.5  # skill of answers that rank the other way, as distances do
FALLEN = 0.02  # skill lost in a run with which a model does not learn


class Tried(NamedTuple):
    """A treatment that was tried.

    Attributes:
        treatment: `Treatment`.
        words: String that ends the sentence "it learns with ...".
        code: String, what the user pastes.
        outcome: `Outcome`.
        gain: Float, over the best control.
        holds: Whether the gain counts.
        factor: Float, of the learning rate with which it did best.
        mend: Function that does the same to a `Mended` copy; None if the user has to.
    """

    treatment: Treatment
    words: str
    code: str
    outcome: Outcome
    gain: float
    holds: bool
    factor: float = 1.0
    mend: Callable[[Mended], None] | None = None


def _is_weak_pair(tried: Tried) -> bool:
    """Whether it is a pair that gains little: of many pairs one does by chance."""
    return tried.treatment.is_pair and tried.outcome.value < CURED


@dataclass
class Experiments:
    """What the bench showed.

    Attributes:
        controls: Dict of the factor of the learning rate to its `Outcome`.
        start: Float, the skill before the first step.
        spread: Float, between orders of the batches.
        steps: Integer, steps of each run.
        rate: Float, the learning rate of the user.
        tried: List of `Tried`.
        left_out: Names of the treatments for which there was no time.
        failed: Dict of the name of a treatment to why it could not be tried.
        is_on_scale: Whether the answers are on a named scale, such as probabilities,
            so that the opposite order is no matter of definition.
        breakdown: `Breakdown` of the control at the user's rate, or None.
        lag: `Lag` of moving statistics, or None.
        planned: `Planned`, what the steps of a short `fit` reach, or None.
        longer: `Outcome` of more steps of the best control, where it may be slow.
    """

    controls: dict[float, Outcome]
    start: float
    spread: float = 0.0
    steps: int = 0
    rate: float = 0.0
    tried: list[Tried] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    is_on_scale: bool = False
    breakdown: Breakdown | None = None
    lag: Lag | None = None
    planned: Planned | None = None
    longer: Outcome | None = None

    @property
    def best(self) -> float:
        """The factor of the learning rate at which the control does best."""
        return max(self.controls, key=lambda factor: self.controls[factor].value)

    @property
    def control(self) -> Outcome:
        """The best control."""
        return self.controls[self.best]

    @property
    def learns(self) -> bool:
        """Whether the model learns as it is, at one of the rates.

        By either measure: a sound distance ranks the other way than its targets, and
        only the loss shows that it learns. More steps count: slow is not wrong.
        """
        value = max(self.control.value, self.longer.value if self.longer else LOWEST)
        by_task = value >= LEARNS and value >= self.start - FALLEN
        by_loss = any(
            outcome.loss_skill >= LEARNS
            and outcome.value <= OPPOSITE
            and not self.is_on_scale
            for outcome in self.controls.values()
        )
        return by_task or by_loss

    @property
    def lacks_steps(self) -> float:
        """The skill that the steps of `fit` miss, of what more of them can reach; or 0.

        More steps must learn at the rate of the user; a higher one shows what is there.
        """
        own = self.controls[1.0].value
        if self.planned is None or not own >= LEARNS > self.planned.outcome.value:
            return 0.0
        return self.control.value - self.planned.outcome.value

    @property
    def other_rate(self) -> float | None:
        """The factor of a rate that learns within `fit`, where the user's does not."""
        if self.planned is None or self.controls[1.0].value >= LEARNS:
            return None
        reached = self.planned.outcome.value
        is_climbing = self.planned.outcome.climb > HARDLY
        gained = self.control.value - max(reached, self.controls[1.0].value)
        if reached >= LEARNS or is_climbing or not gained > EFFECT:
            return None
        return self.best

    @property
    def climb_of_longer(self) -> float:
        """How much more steps have added to the best control; 0 if none were tried."""
        return self.longer.value - self.control.value if self.longer else 0.0

    @property
    def memorizes(self) -> bool:
        """Whether it learns the samples that it steps on: it lacks others to do so."""
        return any(one.trained >= CURED for one in self.controls.values())

    @property
    def is_cured(self) -> bool:
        """Whether a treatment does so well that no pair is tried."""
        return any(tried.outcome.value >= CURED for tried in self.tried)

    @property
    def cure(self) -> Tried | None:
        """The smallest intervention that does about as well as the best; or None."""
        good = [
            tried for tried in self.tried if tried.holds and not _is_weak_pair(tried)
        ]
        most = max((tried.gain for tried in good), default=0.0)
        near = [tried for tried in good if tried.gain >= most - ALIKE]
        return min(near, key=lambda tried: tried.treatment.order, default=None)

    def best_cure(
        self, fits: Callable[[Any], bool] = lambda mend: True
    ) -> Tried | None:
        """What does best, for a copy that is to learn; or None.

        The smallest intervention is the likeliest cause, but two faults at once take
        more than it.

        Args:
            fits: Function of the `mend` of a treatment, whether it can be used.
        """
        good = [tried for tried in self.tried if tried.holds and fits(tried.mend)]
        most = max((tried.gain for tried in good), default=0.0)
        near = [tried for tried in good if tried.gain >= most - HARDLY]
        return min(near, key=lambda tried: tried.treatment.order, default=None)

    def proof_of(self, code: str) -> Tried | None:
        """What was tried against the cause that a code names.

        The smallest intervention of those that do about as well as the best.
        """
        mine = [tried for tried in self.tried if code in tried.treatment.codes]
        most = max((tried.gain for tried in mine), default=0.0)
        near = [tried for tried in mine if tried.gain >= most - ALIKE]
        holding = [tried for tried in near if tried.holds]
        return min(
            holding or near, key=lambda tried: tried.treatment.order, default=None
        )
