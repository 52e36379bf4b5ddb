"""Returns a model to good weights in the middle of `fit`, and applies a remedy."""

from typing import Any

import numpy as np

from keras_trainfix.callbacks.collapse.cures import (
    LOWER,
    Remedy,
    find_remedy,
    make,
)
from keras_trainfix.callbacks.collapse.ledger import Moment, Rescue
from keras_trainfix.callbacks.collapse.policy import HEALTHY
from keras_trainfix.callbacks.collapse.quick_check import TRAINED
from keras_trainfix.callbacks.collapse.rates import (
    lower_rate,
    raise_rate,
    restart,
    set_rate,
)
from keras_trainfix.callbacks.collapse.warm_up import WarmUp, after_epoch
from keras_trainfix.callbacks.collapse.watch import HARDLY, SLOWLY, Watch
from keras_trainfix.diagnosis.findings import Diagnosis, Finding
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.trial.attempt import new_weights
from keras_trainfix.messages import tell
from keras_trainfix.models.optimizers import rate_of, schedule_of
from keras_trainfix.models.recalibrate import recalibrate_batch_norm

BETTER = 0.05  # of the missing skill, by which weights must be better than others
WARM = 2.0  # factor of the rate after a warm-up
STILL = 2e-3  # change of the weights relative to their size
OF_SIGNAL = {"KTF404", "KTF405", "KTF406"}  # lost between the layers
AT_START = OF_SIGNAL | {"KTF409"}  # later it is the rate that makes answers NaN
FREEZES = "statistics-frozen"  # the statistics of these samples
MOST_KEPT = 2**24  # weights up to which the initial ones are kept for a trial


class Rescuer:
    """Keeps the initial and the best weights of a model, and applies remedies.

    Args:
        watch: `Watch` over the model.
        is_active: Whether it rescues; otherwise it only keeps the initial weights, if
            the model is not too large.
        records: List of `Rescue`; each rescue adds one.

    Attributes:
        initial: List of arrays: the weights with which training began, or None.
        was_slow: Whether the last remedy was a higher rate.
    """

    def __init__(self, watch: Watch, is_active: bool, records: list[Rescue]) -> None:
        self.watch, self.model = watch, watch.model
        self.is_active, self.records = is_active, records
        self.initial: Any = None
        self.was_slow = False
        size = sum(np.prod(variable.shape) for variable in self.model.variables)
        if is_active or size <= MOST_KEPT:
            self.initial = self.model.get_weights()
        self._best: tuple[float, Any] = (-np.inf, self.initial)
        self._rate: float | None = None  # what the last remedy set
        self._factor = 1.0  # of the rate that the user compiled
        self._warm_up = WarmUp()

    def keep_best(self, skill: float) -> None:
        """Keeps the present weights if their skill is the best so far."""
        if self.is_active and _is_better(skill, self._best[0]):
            self._best = (skill, self.model.get_weights())

    def put_best_back(self, skill: float, steps: int) -> None:
        """After a rescue, restores the best weights if they beat the last ones.

        Args:
            skill: Float, that of the weights after the last step.
            steps: Integer, steps so far.
        """
        best, weights = self._best
        if not self.records or weights is None or not _is_better(best, skill):
            return
        now = self.watch.quick_check(steps).skill
        if np.isclose(now, skill, equal_nan=True):  # else another callback chose them
            self.model.set_weights(weights)
            tell("CollapseDetector: the best weights that were seen are restored.")

    def is_slow(self, steps: int) -> bool:
        """Whether this many steps have hardly changed the weights."""
        if self.initial is None or steps < TRAINED:
            return False
        if self.was_slow:
            return True
        pairs = list(zip(self.model.get_weights(), self.initial, strict=True))
        change = sum(np.square(a - b, dtype="float64").sum() for a, b in pairs)
        size = sum(np.square(b, dtype="float64").sum() for _, b in pairs)
        return change <= STILL**2 * size

    def repair_beginning(self, diagnosis: Diagnosis) -> bool:
        """Does what can be done before the first step; returns whether it did."""
        if not self.is_active:
            return False
        moment = Moment("before the first step", 0, 1, self.watch.beginning.skill)
        new = new_weights(self.model) if self.watch.was_dead else None
        treated = self.treatment(diagnosis, new, AT_START)
        if treated is not None:
            if new is not None:
                self.model.set_weights(new)
                self.initial = new
            self._note(moment, treated[1], self._apply(treated[0]))
            return True
        remedy, cause = find_remedy(diagnosis)
        if remedy is None or cause is None:
            return False
        if remedy.keeps_weights and not CHECKS[cause.code].transient:
            done = self._apply(remedy)
        elif new is not None:
            self.model.set_weights(new)
            self.initial, done = new, "new initial weights"
        else:
            return False
        self._note(moment, cause, done)
        return True

    def treatment(
        self,
        diagnosis: Diagnosis,
        weights: list | None = None,
        codes: set[str] = OF_SIGNAL,
    ) -> tuple[Remedy, Finding] | None:
        """What an experiment from the initial weights has shown, if `fit` may apply it.

        Only where another model is needed: no rate mends a signal that is lost.

        Args:
            diagnosis: `Diagnosis`.
            weights: List of arrays to begin with; the initial ones by default.
            codes: Set of the codes of the findings that may be treated so.

        Returns:
            `(remedy, finding)`: a `Remedy`, and the `Finding` that it is for; or None.
        """
        causes = [f for f in diagnosis.findings if f.code in codes]
        weights = self.initial if weights is None else weights
        if weights is None or not any(f.severity == "error" for f in causes):
            return None
        cure = self.watch.cure(causes, weights)
        return None if cure is None else (Remedy(cure=cure), causes[0])

    def proven(self, finding: Finding) -> Remedy | None:
        """What trials have shown to help against a cause.

        A lower rate if nothing did, and the finding is only a warning; None if it is
        an error, so that training stops.

        Args:
            finding: `Finding`.
        """
        if self.initial is not None:
            cure = self.watch.cure([finding], self.initial)
            if cure is not None:
                return Remedy(cure=cure)
        return None if finding.severity == "error" else LOWER

    def rescue(self, remedy: Remedy, finding: Finding, moment: Moment) -> None:
        """Applies a remedy, to the weights that it asks for.

        Args:
            remedy: `Remedy`.
            finding: `Finding` that says what went wrong.
            moment: `Moment`.
        """
        model, watch = self.model, self.watch
        weights, whose = self._weights_for(remedy)
        if weights is not None:
            restart(model, weights)
        before = rate_of(model.optimizer)
        self.was_slow = remedy.rate == "higher"
        is_first = not self.records
        rate = watch.higher_rate() if self.was_slow else watch.lower_rate(is_first)
        done = self._apply(remedy, rate)
        if remedy.rate is not None:
            done += self._tune()
        self._note(moment, finding, f"{whose} weights, {done}")
        self._rate = rate_of(model.optimizer)
        self._factor *= self._rate / before if before else 1.0
        # The second time it is the raised rate that did harm.
        may_raise = is_first and whose == "Initial" and remedy.rate == "lower"
        self._warm_up = WarmUp(may_raise)

    def end_warm_up(self, skill: float, when: str) -> None:
        """Raises a lowered rate once new weights learn, or takes that back.

        Args:
            skill: Float, that of the weights after an epoch.
            when: String that begins the line about what was done.
        """
        rate = rate_of(self.model.optimizer)
        if self._rate is None or not np.isclose(rate, self._rate):
            return  # another callback sets it
        self._warm_up, change = after_epoch(self._warm_up, skill)
        if change == "raise":
            self._change_rate(WARM, when)
        elif change == "take back":
            if np.isfinite(skill):  # the moments of Adam make steps short
                self.model.set_weights(self._best[1])
            else:
                restart(self.model, self._best[1])
            self._change_rate(1 / WARM, f"{when}: best weights")

    def _change_rate(self, factor, words):
        done = set_rate(self.model, self._rate * factor)
        self._rate = rate_of(self.model.optimizer)
        self._factor *= factor
        self.records[-1].add(words, done)
        tell(f"CollapseDetector, {words}, {done}.")

    def hold_rate(self) -> None:
        """Lowers, by the same factor, a rate that a scheduler has set meanwhile."""
        optimizer = self.model.optimizer
        if self._rate is None or schedule_of(optimizer) is not None:  # which is scaled
            return
        rate = rate_of(optimizer)
        # A scheduler that continues from the present rate stays far below the old one.
        if self._factor < 1 and rate > self._rate / np.sqrt(self._factor):
            set_rate(self.model, rate * self._factor)
            rate *= self._factor
        self._rate = rate

    def recalibrate(self, finding: Finding, moment: Moment) -> bool:
        """Recalibrates moving averages that lag behind; returns whether that helped."""
        model, before = self.model, self.model.get_weights()
        done = self._recalibrated()
        after = self.watch.quick_check(moment.step).skill
        if not _is_better(after, moment.skill):
            model.set_weights(before)
            return False
        self._note(moment, finding, done)
        self.records[-1].reach(after)
        return True

    def _apply(self, remedy, better=None):
        """Makes the change of a remedy; returns a description."""
        model = self.model
        if remedy.cure is not None:
            make(model, remedy.cure.mend)
            done, factor = remedy.cure.words, remedy.cure.factor
            if factor == 1:
                return done
            return f"{done}, {set_rate(model, rate_of(model.optimizer) * factor)}"
        if remedy.rate == "lower":
            return _joined(lower_rate(model, better), self._made("gradients-clipped"))
        if remedy.rate == "higher":
            return self._made("no-schedule") or raise_rate(model, better)
        done = "" if remedy.treatment != FREEZES else self._recalibrated()
        return _joined(done, self._made(remedy.treatment))

    def _made(self, name):
        """Makes the change of a treatment of the table; returns its words."""
        variant = self.watch.variant(name)
        if variant is None:
            return ""
        make(self.model, variant.mend)
        return variant.words

    def _recalibrated(self):
        recalibrate_batch_norm(self.model, self.watch.sample.x)
        return "batch normalization recalibrated"

    def _tune(self):
        """Raises a rate that is surely not too high until it makes progress."""
        rate = self.watch.tuned_rate(SLOWLY if self.was_slow else HARDLY)
        if rate is None:
            return ""
        set_rate(self.model, rate)
        return f", raised to {rate_of(self.model.optimizer):.3g}"

    def _weights_for(self, remedy):
        """The weights to continue from, None for the present ones, and their name."""
        skill, weights = self._best
        if remedy.keeps_weights:
            return None, "Present"
        if skill > HEALTHY:
            return weights, "Last healthy"
        return self.initial, "Initial"

    def _note(self, moment, finding, done):
        record = Rescue(moment, finding, done)
        self.records.append(record)
        tell(f"CollapseDetector, {record}")


def _joined(*parts):
    """Descriptions as one."""
    return ", ".join(filter(None, parts)) or "nothing to change"


def _is_better(skill, other):
    """Whether a skill is clearly better than another, which may be NaN."""
    return np.isfinite(skill) and not 1 - skill >= (1 - BETTER) * (1 - other)
