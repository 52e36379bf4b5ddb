"""Watches over `fit`, and names a collapse while it happens."""

import warnings
from typing import Any

import numpy as np

from keras_trainfix.callbacks.collapse.remedies import REMEDIES, find_remedy
from keras_trainfix.callbacks.collapse.rescue import HEALTHY, Rescuer
from keras_trainfix.callbacks.collapse.samples import (
    MisfitError,
    check_inputs,
    is_fitting,
    unseen,
    without_targets,
)
from keras_trainfix.callbacks.collapse.watch import (
    ALIVE,
    Watch,
    is_collapse,
    is_irreversible,
    is_named,
    may_pass,
    names_cause,
)
from keras_trainfix.callbacks.guarded import GuardedCallback
from keras_trainfix.diagnosis.findings import DiagnosisError
from keras_trainfix.diagnosis.observe.sample import take
from keras_trainfix.diagnosis.registry import CHECKS, find_check
from keras_trainfix.diagnosis.snapshot import CallError
from keras_trainfix.diagnosis.trial.attempt import has_ended
from keras_trainfix.messages import tell

ACTIONS = ("warn", "stop", "raise", "rescue")
FIRST = 4  # batches until the first glance
GROWTH = 2.0  # from one glance of the first epoch to the next
GROWING = 0.05  # skill from one glance to the next
LEARNED = 0.8  # skill of a training that has not failed, whatever else there is
RECOVERED = 128  # steps after which a rescue should have had an effect


class CollapseWarning(UserWarning):
    """A model in training gives one answer for everything, or none."""


class CollapseDetector(GuardedCallback):
    """Finds a model that collapses during `fit`, names the cause, and may rescue it.

    In most collapses the loss goes on falling: the model learns the best constant
    answer. So this looks at predictions for a few samples: at some batches of the
    first epoch, with growing distance, and after each epoch. Where they say nothing
    of the targets a whole look follows, with all checks of `diagnose`.

    A healthy training is not changed by it, to the bit. An error in here, or a model
    that it cannot look at, ends the watch with one warning and never the training. A
    probe that does not fit the model has one line of warning that says what cannot be
    seen.

    Each epoch has `collapse/std_ratio`, the standard deviation of the predictions over
    that of the targets, and `collapse/skill`, which is 0 for the best constant answer
    and 1 for a perfect one, in its `logs`; of several outputs the worst.

    Args:
        probe: Up to 256 samples of the training data: `(x, y)` or
            `(x, y, sample_weight)` of arrays, or batches as `fit` takes them. Held-out
            samples will do as well, but a model that only overfits looks healthy on
            the training data alone.
        action: What to do about a collapse: `"warn"` and go on; `"stop"` training;
            `"raise"` a `DiagnosisError`; or `"rescue"`: go back to the last healthy
            or to the initial weights, apply the mildest remedy that fits the cause
            (a lower learning rate, mostly, until the model learns), and go on.
        patience: Integer, how many looks in a row must see a collapse, unless it is one
            that no step can undo, as dead units and NaN.
        check_every: `"auto"`, or an integer: glance every so many batches.
        max_rescues: Integer: after so many rescues training stops, with the best
            weights that were seen.
        causes: Codes or names of the findings that count, such as
            `["KTF501", "dead-relu"]`; None for all.

    Attributes:
        diagnosis: `Diagnosis` of the collapse; None as long as the model is healthy.
        history: Dict of lists, an entry a glance: `"step"`, `"epoch"`, `"std_ratio"`,
            `"skill"`.
        rescues: List of strings, what was done.

    Raises:
        ValueError: If an argument is unknown.
        DiagnosisError: With `action="raise"`, when the model collapses.

    Examples:
        >>> x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
        >>> y = x[:, :1] + 5
        >>> model = keras.Sequential(
        ...     [keras.Input((4,)), keras.layers.Dense(1, "softmax")]
        ... )
        >>> model.compile("adam", "mse")
        >>> detector = CollapseDetector((x, y), action="stop")
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     history = model.fit(x, y, epochs=8, verbose=0, callbacks=[detector])
        >>> detector.diagnosis.findings[0].name
        'softmax-on-one-unit'
        >>> len(history.history["collapse/std_ratio"]) < 8
        True

    Reference:

    - [Lu et al., 2019](https://arxiv.org/abs/1903.06733)
    """

    _what_ends = "CollapseDetector no longer watches, and training goes on."
    _category = CollapseWarning
    _meant = (DiagnosisError,)

    def __init__(
        self,
        probe,
        *,
        action="warn",
        patience=2,
        check_every="auto",
        max_rescues=3,
        causes=None,
    ):
        super().__init__()
        if action not in ACTIONS:
            raise ValueError(
                f"`action` must be one of {', '.join(map(repr, ACTIONS))}. Received: "
                f"action={action!r}."
            )
        _check_positive("patience", patience)
        _check_positive("max_rescues", max_rescues)
        if check_every != "auto":
            _check_positive("check_every", check_every)
        self.probe = probe
        self.action = action
        self.patience = patience
        self.check_every = check_every
        self.max_rescues = max_rescues
        if isinstance(causes, str):
            raise ValueError(
                f"`causes` must be a list of strings. Received: causes={causes!r}."
            )
        self.causes = None if causes is None else [_code(cause) for cause in causes]
        self._sample: Any = None
        self._reset()

    def _reset(self):
        self.diagnosis: Any = None
        self.history: dict[str, list] = {
            key: [] for key in ("step", "epoch", "std_ratio", "skill")
        }
        self.rescues: list[str] = []
        self.alarms: list[int] = []
        self._watch: Any = None
        self._is_off = False
        self._epoch, self._begun = 0, -1  # the epoch, and that of the (new) beginning
        self._steps = self._done = self._restarted = 0  # the latter two: counted before
        self._next, self._quiet, self._streak = FIRST, 0, 0
        self._rescuer: Any = None

    def on_train_begin(self, logs=None):
        self._reset()
        self._safely(self._begin)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        self._begun = epoch if self._begun < 0 else self._begun

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0 and self.rescues:
            self._safely(self._rescuer.hold_rate)

    def on_train_batch_end(self, batch, logs=None):
        self._steps = self._done + batch + 1
        is_early = self.check_every != "auto" or self._epoch <= self._begun
        if is_early and self._since >= self._next:
            self._safely(self._quick_check)

    def on_epoch_end(self, epoch, logs=None):
        self._done = self._steps
        self._safely(self._quick_check)
        if self.rescues and self._since:
            self._safely(self._end_warm_up)
        if logs is not None:
            logs.update(self._numbers())

    def on_train_end(self, logs=None):
        self._safely(self._end)

    def plot(self, path=None):
        """Draws what was seen, step by step, with the collapse and the rescues.

        Args:
            path: File to save the picture to, or None.

        Returns:
            `matplotlib.figure.Figure`.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        from keras_trainfix.callbacks.collapse.plot import collapse_figure

        return collapse_figure(self, path)

    @property
    def _since(self):
        """Steps since the (new) beginning."""
        return self._steps - self._restarted

    def _begin(self):
        self._watch = watch = self._watched(self.model)
        diagnosis = watch.examine_beginning()
        if _has_error(diagnosis):
            self.diagnosis = self._counted(diagnosis)
        self._report_unseen()
        self._leave_out_misfits()
        watch = self._watch
        self._rescuer = Rescuer(watch, self.action == "rescue", self.rescues)
        self._rescuer.keep_best(watch.beginning.skill)
        if self._has_one_class():
            tell(
                "CollapseDetector: all samples of `probe` have one class, so that a "
                "model which always answers it cannot be told from a good one."
            )
        if self._sample.y is None:
            tell(
                "CollapseDetector: `probe` has no targets, so that only predictions "
                "that are not finite can be seen."
            )
        found = self.diagnosis
        if found is not None and not self._rescuer.repair_beginning(found):
            self._warn()

    def _report_unseen(self):
        """Says once which outputs cannot be compared with their targets."""
        views = self._watch.first.views()
        with_loss = [view for view in views if view.loss.kind != "none"]
        views = with_loss or views  # some outputs have no loss, and that is meant
        for is_own in (False, True):  # a loss of the user's may take any targets
            chosen = [v for v in views if (v.loss.kind == "custom") == is_own]
            text = " ".join(filter(None, map(unseen, chosen)))
            if text and is_own:
                tell(f"CollapseDetector: {text}")
            elif text:
                warnings.warn(text, CollapseWarning, stacklevel=5)

    def _leave_out_misfits(self):
        """Goes on without targets that the predictions cannot be compared with."""
        watch, views = self._watch, self._watch.first.views()
        misfits = {view.name for view in views if not is_fitting(view)}
        if misfits:
            sample = without_targets(watch.sample, watch.first.names, misfits)
            self._watch = Watch(watch.model, sample, watch.show_progress)
            self._watch.was_dead = watch.was_dead

    def _has_one_class(self):
        seen = [probe.skill for probe in self._watch.first.views()]
        return any(one is not None and one.has_one_class for one in seen)

    def _watched(self, model):
        """The `Watch`; raises `MisfitError` where the samples are to blame."""
        try:
            # Once for all trainings: a generator has its samples only once.
            self._sample = self._sample or take(self.probe, model=model)
        except (ValueError, TypeError) as error:
            raise MisfitError(f"`probe` cannot be used. {error}") from error
        try:
            return Watch(model, self._sample, bool((self.params or {}).get("verbose")))
        except CallError as error:
            check_inputs("probe", model, self._sample, error.__cause__)
            raise

    def _quick_check(self):
        if self.history["step"][-1:] == [self._steps]:
            return
        quick_check = self._watch.quick_check(self._since)
        is_open = quick_check.skill < ALIVE and not self._is_reported
        if is_open and self._rescuer.is_slow(self._since):
            quick_check = quick_check._replace(is_suspicious=True, is_lost=True)
        for key, value in (
            ("step", self._steps),
            ("epoch", self._epoch),
            ("std_ratio", quick_check.std_ratio),
            ("skill", quick_check.skill),
        ):
            self.history[key].append(value)
        self._rescuer.keep_best(quick_check.skill)
        every = self.check_every
        grown = int(np.ceil(self._since * GROWTH))
        self._next = grown if every == "auto" else self._since + every
        if not quick_check.is_suspicious:
            self._streak = 0
        elif self._since >= self._quiet and not self._is_reported:
            self._full_check(quick_check)

    def _end_warm_up(self):
        self._rescuer.end_warm_up(self._last("skill"), f"epoch {self._epoch + 1}")

    @property
    def _is_reported(self):
        return bool(self.alarms) and self.action != "rescue"

    def _full_check(self, quick_check):
        watch = self._watch
        snapshot = watch.snapshot()
        diagnosis = watch.symptoms(snapshot)
        has_collapsed = is_collapse(diagnosis, quick_check.is_dying)
        if not has_collapsed and not quick_check.is_lost:
            self._calm_down()
            return
        self._streak += 1
        if self._streak < self.patience and not is_irreversible(diagnosis):
            self._next = self._since + max(2, self._since // 8)
            return
        rescuer = self._rescuer
        diagnosis = watch.examine(snapshot, rescuer.initial, trial=True)
        if may_pass(diagnosis, self._since) or self._may_recover(diagnosis):
            self._calm_down()
        elif self._counted(diagnosis) and (
            has_collapsed or is_named(diagnosis, self._since)
        ):
            is_open = not names_cause(diagnosis) and not has_ended(snapshot)
            # From the weights it started with a rate may do well that no longer does.
            self.diagnosis = (
                watch.examine(snapshot, trial=True) if is_open else diagnosis
            )
            self._act()
        elif rescuer.was_slow and self._may_rescue and watch.higher_rate():
            self.alarms.append(self._steps)
            self._rescue(REMEDIES["faster"])
        else:
            self._calm_down()

    def _may_recover(self, diagnosis):
        """Whether a lowered rate needs more steps to show what it is worth."""
        is_soon = self._since < RECOVERED
        is_lowered = bool(self.rescues) and not self._rescuer.was_slow and is_soon
        is_hopeless = is_irreversible(diagnosis) or not self._watch.does_no_harm
        return is_lowered and not is_hopeless

    def _calm_down(self):
        self._streak = 0
        self._quiet = int(1.5 * self._since)

    def _act(self):
        self.alarms.append(self._steps)
        if self.action == "raise":
            raise DiagnosisError(self.diagnosis)
        remedy, cause = find_remedy(self.diagnosis)
        if self._may_rescue and remedy is not None:
            is_slow = cause is None and self._rescuer.is_slow(self._since)
            self._rescue(REMEDIES["faster"] if is_slow else remedy)
            return
        self._warn()
        if self.action != "warn":
            self.model.stop_training = True

    @property
    def _may_rescue(self):
        return self.action == "rescue" and len(self.rescues) < self.max_rescues

    def _rescue(self, remedy):
        when = f"epoch {self._epoch + 1}, step {self._steps}"
        self._rescuer.rescue(remedy, self.diagnosis.findings[0], when)
        self._restarted, self._begun = self._steps, self._epoch + 1
        self._next, self._quiet, self._streak = FIRST, 0, 0

    def _end(self):
        if self._watch is None:
            return
        skill = self._last("skill")
        self._rescuer.put_best_back(skill, self._since)
        if self.alarms or skill >= LEARNED:
            return
        is_warned = self.diagnosis is not None
        snapshot = self._watch.snapshot()
        hopeless = not skill >= HEALTHY
        start = self._rescuer.initial if has_ended(snapshot) else None
        diagnosis = self._watch.examine(snapshot, start, trial=hopeless)
        if self._has_one_class() and not _has_error(diagnosis):
            return  # it says nothing of the training
        # That there is nothing to learn is a note, and the reason all the same.
        no_signal = hopeless and any(
            CHECKS[code].counts_as_note for code in diagnosis.codes
        )
        if not self._counted(diagnosis) or (diagnosis.ok and not no_signal):
            return
        if not (names_cause(diagnosis) or is_collapse(diagnosis) or no_signal):
            return  # a class is missing, as of many that still learn
        gap = next(
            (
                finding
                for finding in diagnosis.findings
                if CHECKS[finding.code].rescue == "freeze_statistics"
            ),
            None,
        )
        is_repairable = self.action == "rescue" and gap is not None
        if is_repairable and self._rescuer.recalibrate(gap, skill, self._since):
            self.diagnosis = diagnosis
            return
        is_learning = self._is_growing() and gap is None and not _has_error(diagnosis)
        if not hopeless and (is_learning or may_pass(diagnosis, self._since)):
            return
        self.diagnosis = diagnosis
        if self.action == "raise" and is_collapse(diagnosis):
            raise DiagnosisError(diagnosis)
        if not is_warned and not diagnosis.ok:
            self._warn()

    def _is_growing(self):
        """Whether skill was still growing, so that what is wrong is no collapse."""
        *_, before, last = [0.0, *self.history["skill"]]
        return last > before + GROWING

    def _last(self, key):
        """The last number of the history, NaN for none."""
        return self.history[key][-1] if self.history[key] else float("nan")

    def _counted(self, diagnosis):
        """A diagnosis, or None where none of its findings count."""
        if self.causes is None:
            return diagnosis
        codes = {f.code for f in diagnosis.findings if f.severity != "note"}
        return diagnosis if codes & set(self.causes) else None

    def _warn(self):
        if self.diagnosis is not None:
            warnings.warn(str(self.diagnosis), CollapseWarning, stacklevel=4)

    def _numbers(self):
        """What an epoch has in its logs: always the same keys."""
        numbers = {
            "collapse/std_ratio": self._last("std_ratio"),
            "collapse/skill": self._last("skill"),
        }
        if self.action == "rescue":
            numbers["collapse/rescues"] = len(self.rescues)
        return numbers


def _has_error(diagnosis):
    return any(finding.severity == "error" for finding in diagnosis.findings)


def _check_positive(name, value):
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(
            f"`{name}` must be an integer of 1 or more. Received: {name}={value!r}."
        )


def _code(cause):
    """The code of a finding, from the code or the name."""
    check = find_check(cause) if isinstance(cause, str) else None
    if check is None:
        raise ValueError(
            "`causes` must hold codes or names of findings, such as 'KTF501' or "
            f"'dead-relu'. Received: {cause!r}. `python -m keras_trainfix codes` lists "
            "them."
        )
    return check.code
