"""A model under observation: cheap glances, and whole looks where one asks for it."""

from typing import NamedTuple

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.callbacks.collapse.verdict import is_irreversible
from keras_trainfix.diagnosis.diagnose import examine
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged
from keras_trainfix.diagnosis.observe.sample import MOST, numbers_of, some_of
from keras_trainfix.diagnosis.snapshot import Snapshot, call_named
from keras_trainfix.diagnosis.trial.attempt import attempt, has_ended
from keras_trainfix.diagnosis.trial.runner import FACTORS
from keras_trainfix.diagnosis.trial.trial import try_steps

FEW = 32  # samples of a glance, and more where they are small:
NUMBERS = 2**13  # of the inputs of a glance
# Standard deviation of predictions, of that of the targets:
LITTLE = 0.1
NOTHING = 1e-3
TRAINED = 20  # steps after which little is suspicious
SOON = 40  # steps in which units die of steps that are too long,
AT_ONCE = 8  # most of them in the first
DUE = 100  # steps after which some skill is due,
NO_SKILL = 0.02
ALIVE = 0.1  # skill with which units may die
DYING, DEAD = 0.85, 0.93  # share of the units of a layer that are dead, then and later,
DIED = 0.3  # and by how much it has grown
MILDLY = 0.2  # of the loss, by which a rate may do worse than a lower one in a trial
RISKY = 0.8  # share that leaves a higher rate out
WORSE = 10  # times the loss of the beginning is lost
ENDED_FACTORS = (1.0, 0.1, 0.01, 1e-4)  # of the rate that ended a model
UPWARDS = (1.0, 10.0, 100.0, 1000.0)  # of the rate after a rescue
HARDLY, SLOWLY = 0.02, 0.16  # of the loss, in the steps of a trial
TRIAL_SECONDS = 8.0


class QuickCheck(NamedTuple):
    """What a few predictions tell.

    Attributes:
        std_ratio: Standard deviation of the predictions over that of the targets, the
            least of all outputs; NaN where it cannot be told.
        skill: `1 - loss / loss of the best constant`, the least of all outputs.
        is_suspicious: Whether a whole look is due.
        is_lost: Whether skill is due and there is none, or less than there was.
        is_dying: Whether most units of a layer have died, and there is no skill.
    """

    std_ratio: float
    skill: float
    is_suspicious: bool
    is_lost: bool
    is_dying: bool = False


class Watch:
    """Looks at a model, without changing it.

    Args:
        model: A built `keras.Model`.
        sample: `Sample`.
        show_progress: Whether a trial shows how far it is.

    Attributes:
        model: The model.
        sample: The samples of a whole look.
        first: The `Snapshot` at a few samples with which it began.
        beginning: The `QuickCheck` at the weights with which it began.
        trial: The last `Trial`, or None.
        was_dead: Whether the weights with which it began were dead.
    """

    def __init__(self, model, sample, show_progress=False):
        self.model, self.show_progress = model, show_progress
        batch = _fixed_batch(model)
        self.sample = some_of(sample, batch or MOST)
        few = some_of(sample, batch or _number_of_few(sample))
        self.first = Snapshot(model, *few[:3])
        self._last = self.first
        self.beginning = self._quick_check(
            [view.skill for view in self.first.views()], False, 0
        )
        self.was_dead = False
        self.trial = None

    def quick_check(self, steps):
        """A `QuickCheck` at the present weights, after a number of steps."""
        with unchanged(self.model), backend.no_gradient():
            named = call_named(self.model, self.first.sample.x)
        views = self.first.views()
        seen = [view.skill_of(named[view.name]) for view in views]
        broken = not all(np.isfinite(values).all() for values in named.values())
        quick_check = self._quick_check(seen, broken, steps)
        if steps <= SOON and quick_check.skill < ALIVE and self._is_dying(steps):
            return quick_check._replace(is_suspicious=True, is_dying=True)
        return quick_check

    def _is_dying(self, steps):
        dead = Snapshot(self.model, *self.first.sample[:3]).dead_share
        most = DYING if steps <= AT_ONCE else DEAD
        return dead >= most and dead > self.first.dead_share + DIED

    def examine_beginning(self):
        """The `Diagnosis` of what no step can change: data, head, loss, weights."""
        diagnosis = examine(self.first, lambda check: check.before_training)
        self.was_dead = is_irreversible(diagnosis)
        _forget_layers(self.first)
        return diagnosis

    def snapshot(self):
        """A `Snapshot` at all samples."""
        x, y, sample_weight, _ = self.sample
        snapshot = Snapshot(self.model, x, y, sample_weight, self._last)
        _forget_layers(self._last)
        self._last = snapshot
        return snapshot

    def symptoms(self, snapshot):
        """The `Diagnosis` of a look by what shows a collapse, without its causes."""
        return examine(snapshot, lambda check: check.collapse or check.irreversible)

    def examine(self, snapshot, initial_weights=None, trial=False):
        """The `Diagnosis` of a look.

        Args:
            snapshot: `Snapshot`.
            initial_weights: List of arrays, from which a trial starts; None for the
                present ones.
            trial: Whether to try a few steps.

        Returns:
            `Diagnosis`.
        """
        reason = self._try(snapshot, initial_weights) if trial else None
        diagnosis = examine(snapshot)
        if reason:
            diagnosis.skipped["trial"] = reason
        return diagnosis

    def _try(self, snapshot, weights):
        """Makes the trial; returns why it could not be made, or None."""
        ended = has_ended(snapshot)
        if ended and weights is None:
            return "The initial weights are not known."
        factors = ENDED_FACTORS if ended else FACTORS
        reason = attempt(snapshot, weights, factors, TRIAL_SECONDS, self.show_progress)
        self.trial = snapshot.trial or self.trial
        return reason

    @property
    def does_no_harm(self):
        """Whether the steps of the last trial at the present rate went downwards."""
        return self.trial is not None and self.trial.gain(1.0) >= 0

    def lower_rate(self, is_first=True):
        """The highest of the lower rates that did well in the last trial, or None.

        It is nearer to the present one where that was lowered before and does no harm.
        """
        trial = self.trial
        if trial is None:
            return None
        best = trial.best_lower(MILDLY)
        if best is not None:
            is_near = not is_first and self.does_no_harm
            return trial.rate * (np.sqrt(best) if is_near else best)
        gains = {f: trial.gain(f) for f in trial.runs if f < 1}
        did_harm = gains and all(gain <= 0 for gain in gains.values())
        return trial.rate * min(gains) / 10 if did_harm else None

    def higher_rate(self):
        """The rate that did best in the last trial, if it is a higher one, or None."""
        trial = self.trial
        if trial is None:
            return None
        gains = [(trial.gain(f), f) for f in trial.runs if trial.gain(f) > 0]
        _, best = max(gains, default=(0.0, 1.0))
        return trial.rate * best if best > 1 else None

    def tuned_rate(self, gain=HARDLY):
        """A higher rate, if steps at the present one bring less than a gain; or None.

        Where gradients are clipped by now, or a rate was far off, no earlier trial
        tells how long a step may be.
        """
        snapshot = Snapshot(self.model, *self.sample[:3])
        try:
            trial = try_steps(
                snapshot, None, UPWARDS, TRIAL_SECONDS, self.show_progress
            )
        except Exception:  # the user's own code
            return None
        safe = [f for f, trial_run in trial.runs.items() if trial_run.dead < RISKY]
        gains = {f: trial.gain(f) for f in safe if np.isfinite(trial.gain(f))}
        best = max(gains, key=gains.__getitem__, default=1.0)
        is_better = best > 1 and gains[best] > gain > gains.get(1.0, 0.0)
        return trial.rate * best if is_better else None

    def _quick_check(self, seen, broken, steps):
        """The `QuickCheck` of a `SkillScore` or None for each output."""
        seen = [one for one in seen if one is not None and not one.has_one_class]
        ratio = min((one.std_ratio for one in seen), default=float("nan"))
        skill = min((one.value for one in seen), default=float("nan"))
        one_class = any(
            len(one.classes_predicted) == 1 for one in seen if one.kind == "classes"
        )
        is_lost = steps >= DUE and skill < NO_SKILL
        if steps >= TRAINED:
            is_lost |= skill < 0 and 1 - skill > WORSE * (1 - self.beginning.skill)
            is_lost |= ratio < NOTHING
        due = steps >= TRAINED and (ratio < LITTLE or one_class)
        is_suspicious = broken or ratio < NOTHING or due or is_lost
        return QuickCheck(
            float(ratio), float(skill), bool(is_suspicious), bool(is_lost)
        )


def _number_of_few(sample):
    return int(np.clip(NUMBERS // numbers_of(sample.x), FEW, MOST))


def _fixed_batch(model):
    """The size of all batches, where a model is made for one; else None."""
    inputs = getattr(model, "inputs", None) or []
    sizes = {tensor.shape[0] for tensor in keras.tree.flatten(inputs) if tensor.shape}
    return max(filter(None, sizes), default=None)


def _forget_layers(snapshot):
    """Frees what is large, and keeps what a later look is compared with."""
    snapshot.dead_share  # noqa: B018 - is of the layers
    snapshot.layers.clear()
