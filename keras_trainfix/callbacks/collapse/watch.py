"""A model under observation, which no check changes."""

import functools
from typing import Any

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.callbacks.collapse.prices import prices_of
from keras_trainfix.callbacks.collapse.quick_check import QuickCheck, judge
from keras_trainfix.callbacks.collapse.verdict import is_irreversible
from keras_trainfix.diagnosis.budget import work_of
from keras_trainfix.diagnosis.examine import asked_again, examine
from keras_trainfix.diagnosis.experiments.mended import can_be_made_in_place
from keras_trainfix.diagnosis.experiments.proving import cure_of
from keras_trainfix.diagnosis.experiments.training import Training, schedule_that_ends
from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS, Case, Variant
from keras_trainfix.diagnosis.experiments.trials import experiment
from keras_trainfix.diagnosis.findings import Cure, Diagnosis, Finding
from keras_trainfix.diagnosis.fit_arguments import BATCH, FitArguments
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged
from keras_trainfix.diagnosis.observe.sample import MOST, Sample, numbers_of, some_of
from keras_trainfix.diagnosis.snapshot import Snapshot, call_named
from keras_trainfix.diagnosis.trial.attempt import attempt, has_ended
from keras_trainfix.diagnosis.trial.result import Trial
from keras_trainfix.diagnosis.trial.runner import FACTORS
from keras_trainfix.diagnosis.trial.trial import try_steps
from keras_trainfix.models.optimizers import rate_of

FEW = 32  # samples of a quick check, and more where they are small:
NUMBERS = 2**13  # entries of the inputs of a quick check
ALIVE = 0.1  # skill below which units may be dying
SOON = 40  # steps in which steps that are too long kill units,
AT_ONCE = 8  # most of them in the first
DYING, DEAD = 0.85, 0.93  # share of dead units in a layer, within AT_ONCE and later
DIED = 0.3  # by how much that share has grown
MILDLY = 0.2  # of the loss, by which a rate may do worse than a lower one in a trial
RISKY = 0.8  # share of dead units that rules out a higher rate
ENDED_FACTORS = (1.0, 0.1, 0.01, 1e-4)  # of the rate that ended a model
UPWARDS = (1.0, 10.0, 100.0, 1000.0)  # of the rate after a rescue
HARDLY, SLOWLY = 0.02, 0.16  # of the loss, in the steps of a trial


class Watch:
    """Checks a model in training.

    Args:
        model: A built `keras.Model`.
        sample: `Sample`.
        show_progress: Whether a trial shows its progress.
        fit: `FitArguments`, or None.

    Attributes:
        model: The model.
        sample: The samples of a full check.
        first: The `Snapshot` on the samples of a quick check before training.
        prices: `Prices` of its looks.
        beginning: The `QuickCheck` of the weights before training.
        trial: The last `Trial`, or None.
        trials: Dict of each cause to its only `Trial`, or to why there was none.
        was_dead: Whether the weights before training were dead.
    """

    def __init__(
        self,
        model: keras.Model,
        sample: Sample,
        show_progress: bool = False,
        fit: FitArguments | None = None,
    ) -> None:
        self.model, self.show_progress, self.fit = model, show_progress, fit
        batch = _fixed_batch(model)
        self.sample = some_of(sample, batch or MOST)
        few = some_of(sample, batch or _number_of_few(sample))
        self.first = Snapshot(model, *few[:3], fit=fit)
        self._last = self.first
        self.prices = self._prices()
        self.beginning = judge([view.skill for view in self.first.views()], False, 0)
        self.was_dead = False
        self.trial: Trial | None = None
        self.trials: dict[Any, tuple[Trial | None, str | None]] = {}

    def quick_check(self, steps: int) -> QuickCheck:
        """A `QuickCheck` of the present weights, after a number of steps."""
        with unchanged(self.model), backend.no_gradient():
            named = call_named(self.model, self.first.sample.x)
        scores = [view.skill_of(named[view.name]) for view in self.first.views()]
        is_broken = not all(np.isfinite(values).all() for values in named.values())
        check = judge(scores, is_broken, steps, self.beginning.skill)
        if steps <= SOON and check.skill < ALIVE and self._is_dying(steps):
            return check._replace(is_suspicious=True, is_dying=True)
        return check

    def examine_beginning(self) -> Diagnosis:
        """The `Diagnosis` of what no step can change: data, head, loss, weights."""
        diagnosis = examine(self.first, lambda check: check.before_training)
        self.was_dead = is_irreversible(diagnosis)
        _forget_layers(self.first)
        return diagnosis

    def snapshot(self) -> Snapshot:
        """A `Snapshot` on all samples."""
        x, y, sample_weight, _ = self.sample
        snapshot = Snapshot(self.model, x, y, sample_weight, self._last, self.fit)
        _forget_layers(self._last)
        self._last = snapshot
        return snapshot

    def symptoms(self, snapshot: Snapshot) -> Diagnosis:
        """The `Diagnosis` by the checks that show a collapse, not its causes."""
        return examine(snapshot, lambda check: check.collapse or check.irreversible)

    def examine(
        self, snapshot: Snapshot, initial_weights: Any = None, trial: bool = False
    ) -> Diagnosis:
        """The `Diagnosis` by all checks.

        Args:
            snapshot: `Snapshot`.
            initial_weights: List of arrays from which a trial starts; None for the
                present ones.
            trial: Whether to try a few steps.
        """
        reason = self._try(snapshot, initial_weights) if trial else None
        diagnosis = examine(snapshot)
        if initial_weights is not None and has_ended(snapshot):
            diagnosis = asked_again(snapshot, initial_weights, diagnosis)
        if reason:
            diagnosis.skipped["trial"] = reason
        return diagnosis

    def cure(self, findings: list[Finding], weights: list) -> Cure | None:
        """The best change that a running `fit` can make, tried from some weights.

        Args:
            findings: `Finding`s whose treatments are tried.
            weights: List of arrays.
        """
        snapshot = Snapshot(self.model, *self.sample[:3], fit=self.fit)
        try:
            found = experiment(snapshot, findings, True, weights=weights)
        except Exception:  # the user's own code
            return None
        fits = functools.partial(can_be_made_in_place, self.model)
        return cure_of(found, False, fits)

    def variant(self, name: str) -> Variant | None:
        """How a treatment of the table would change the model now; None if it cannot.

        Args:
            name: String.
        """
        ends = schedule_that_ends(self.model)
        snapshot = Snapshot(self.model, *self.sample[:3], fit=self.fit)
        training = Training(self.model, self.sample, self.sample, schedule=ends)
        return next(iter(TREATMENTS[name].variants(Case(training, snapshot))), None)

    @property
    def does_no_harm(self) -> bool:
        """Whether the loss did not rise at the present rate in the last trial."""
        return self.trial is not None and self.trial.gain(1.0) >= 0

    def lower_rate(self, is_first: bool = True) -> float | None:
        """The highest of the lower rates that did well in the last trial, or None.

        Args:
            is_first: Whether the rate was not lowered before; a second time it stays
                nearer to the present one, if that does no harm.
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

    def higher_rate(self) -> float | None:
        """The rate that did best in the last trial, if it is a higher one, or None."""
        trial = self.trial
        if trial is None:
            return None
        gains = [(trial.gain(f), f) for f in trial.runs if trial.gain(f) > 0]
        _, best = max(gains, default=(0.0, 1.0))
        return trial.rate * best if best > 1 else None

    def tuned_rate(self, gain: float = HARDLY) -> float | None:
        """A higher rate, if steps at the present one gain too little; or None.

        It takes a new trial: with gradients clipped, or after a rate that was far off,
        earlier trials do not show how long a step may be.

        Args:
            gain: Float, the share of the loss that steps should take away.
        """
        snapshot = Snapshot(self.model, *self.sample[:3], fit=self.fit)
        try:
            trial = try_steps(snapshot, None, UPWARDS, show_progress=self.show_progress)
        except Exception:  # the user's own code
            return None
        safe = [factor for factor, run in trial.runs.items() if run.dead < RISKY]
        gains = {f: trial.gain(f) for f in safe if np.isfinite(trial.gain(f))}
        best = max(gains, key=gains.__getitem__, default=1.0)
        is_better = best > 1 and gains[best] > gain > gains.get(1.0, 0.0)
        return trial.rate * best if is_better else None

    def _prices(self):
        first = self.first
        batch = (self.fit and self.fit.batch_size) or BATCH
        work = work_of(first.layers, first.inputs.values())
        layers = len(first.layers)
        return prices_of(work, first.samples, self.sample, batch, layers)

    def _is_dying(self, steps):
        dead = Snapshot(self.model, *self.first.sample[:3]).dead_share
        most = DYING if steps <= AT_ONCE else DEAD
        return dead >= most and dead > self.first.dead_share + DIED

    def _try(self, snapshot, weights):
        """Makes the trial; returns why it could not be made, or None."""
        ended = has_ended(snapshot)
        if ended and weights is None:
            return "The initial weights are not known."
        factors = ENDED_FACTORS if ended else FACTORS
        key = self._cause(snapshot, weights), factors, _magnitude_of_rate(self.model)
        if key in self.trials:
            snapshot.trial, reason = self.trials[key]
        else:
            reason = attempt(
                snapshot, weights, factors, show_progress=self.show_progress
            )
            self.trials[key] = snapshot.trial, reason
        self.trial = snapshot.trial or self.trial
        return reason

    def _cause(self, snapshot, weights):
        """What a trial depends on: given weights, or the symptoms of present ones."""
        if weights is not None:
            return id(weights)
        return frozenset(self.symptoms(snapshot).codes)


def _magnitude_of_rate(model):
    """The learning rate, to a factor of two."""
    optimizer = getattr(model, "optimizer", None)
    rate = 0.0 if optimizer is None else rate_of(optimizer)
    return round(np.log2(rate)) if 0 < rate < np.inf else rate


def _number_of_few(sample):
    return int(np.clip(NUMBERS // numbers_of(sample.x), FEW, MOST))


def _fixed_batch(model):
    """The batch size a model is built for, or None."""
    inputs = getattr(model, "inputs", None) or []
    sizes = {tensor.shape[0] for tensor in keras.tree.flatten(inputs) if tensor.shape}
    return max(filter(None, sizes), default=None)


def _forget_layers(snapshot):
    """Frees what is large, after the share of dead units was taken from it."""
    snapshot.dead_share  # noqa: B018 - is computed from the layers
    snapshot.layers.clear()
