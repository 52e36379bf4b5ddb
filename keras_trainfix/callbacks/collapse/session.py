"""One training under watch: it checks the model, and does what the policy decides."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import keras

from keras_trainfix.callbacks.collapse.cures import HIGHER, find_remedy
from keras_trainfix.callbacks.collapse.events import (
    CauseSought,
    CollapseNamed,
    EndExamined,
    EpochBegan,
    Event,
    FitBegan,
    QuickChecked,
    Rescued,
    StepEnded,
    SymptomsSeen,
    TrainingEnded,
)
from keras_trainfix.callbacks.collapse.layer_record import LayerRecord
from keras_trainfix.callbacks.collapse.ledger import Moment, Rescue
from keras_trainfix.callbacks.collapse.policy import (
    HEALTHY,
    LEARNED,
    Action,
    decide,
    is_reported,
)
from keras_trainfix.callbacks.collapse.rescue import Rescuer
from keras_trainfix.callbacks.collapse.schedule import (
    Settings,
    State,
    is_epoch_check_due,
    next_check_within,
)
from keras_trainfix.callbacks.collapse.series import Watched
from keras_trainfix.callbacks.collapse.verdict import (
    explains_as_note,
    has_error,
    is_collapse,
    is_irreversible,
    is_named,
    may_pass,
    names_cause,
    stale_statistics,
)
from keras_trainfix.callbacks.collapse.visibility import (
    has_one_class,
    limits,
    unmeasured_line,
    without_misfits,
)
from keras_trainfix.callbacks.collapse.watch import ALIVE, Watch
from keras_trainfix.diagnosis.findings import Diagnosis, DiagnosisError
from keras_trainfix.diagnosis.fit_arguments import FitArguments
from keras_trainfix.diagnosis.observe.sample import Sample
from keras_trainfix.diagnosis.trial.attempt import has_ended
from keras_trainfix.messages import tell, warn_caller

GROWING = 0.05  # skill from one quick check to the next


class CollapseWarning(UserWarning):
    """A model in training gives one answer for everything, or none."""


class EpochLoss(NamedTuple):
    """The loss of an epoch.

    Attributes:
        step: Integer, steps at its end.
        loss: Float, as in `logs`; NaN where these have none.
        validation: Float, that of the validation data; NaN without any.
    """

    step: int
    loss: float
    validation: float


class Session:
    """One training under watch, which may take several calls of `fit`.

    Args:
        model: A built `keras.Model`.
        sample: `Sample`.
        settings: `Settings`.
        causes: Codes of the findings that count; None for all.
        show_progress: Whether a trial shows its progress.
        fit: `FitArguments` of the first `fit`, or None.

    Attributes:
        diagnosis: `Diagnosis` of the collapse, or None.
        history: Dict of lists: step, epoch, spread and skill of each quick check.
        rescues: List of `Rescue`, one for each.
        losses: List of `EpochLoss`.
        layers: `LayerRecord` of the looks at the end of epochs.
        state: `State` of the policy.
    """

    def __init__(
        self,
        model: keras.Model,
        sample: Sample,
        settings: Settings,
        causes: Iterable[str] | None = None,
        show_progress: bool = False,
        fit: FitArguments | None = None,
    ):
        self.model, self.causes = model, causes
        self.diagnosis: Diagnosis | None = None
        self.history: dict[str, list] = {
            key: [] for key in ("step", "epoch", "std_ratio", "skill")
        }
        self.rescues: list[Rescue] = []
        self.losses: list[EpochLoss] = []
        self.layers = LayerRecord()
        self.state = State()
        self._steps_before = self._step = 0  # before this epoch, and so far
        self._due_at = 0.0  # step of the next quick check within an epoch
        self._begun_at = 0  # step
        self._watch = Watch(model, sample, show_progress, fit)
        self.settings = settings._replace(prices=self._watch.prices)
        self._rescuer: Any = None
        self._is_earlier = False  # the diagnosis may be that of an earlier `fit`
        self._is_told = False  # that skill cannot be seen

    def begin(self) -> None:
        """Judges what no step can change, and repairs it where it may."""
        self.layers.look(self.model, 0)
        diagnosis = self._watch.examine_beginning()
        if has_error(diagnosis):
            self.diagnosis = self._counted(diagnosis)
        loud, quiet = limits(self._watch)
        self._is_told = bool(loud or quiet)
        for line in loud:
            warn_caller(line, CollapseWarning)
        for line in quiet:
            tell(line)
        self._watch = without_misfits(self._watch)
        self._rescuer = self._new_rescuer()
        self._rescuer.keep_best(self._watch.beginning.skill)
        if self.diagnosis is None:
            return
        if self._rescuer.repair_beginning(self.diagnosis):
            self.state = replace(self.state, rescues=1)
        else:
            self._warn()

    @property
    def watched(self) -> Watched:
        """How far the training was watched."""
        price = self.settings.prices.beginning
        return Watched(self.state, self._begun_at, price)

    def continue_from(self, state: State) -> None:
        """Continues a training that another session has watched.

        Args:
            state: `State` at its end.
        """
        self._begun_at = self._steps_before = self._step = step = state.step
        self.state = replace(
            state, fit_from=step, first_epoch=-1, wait=0, alarms=(), rescues=0
        )

    def begin_again(self, is_new: bool) -> None:
        """Another `fit` of the same model, whose beginning has been examined.

        Args:
            is_new: Whether it does not continue from the last weights.
        """
        self._decide(FitBegan(is_new))
        self._steps_before = self.state.step
        self._is_earlier = True
        if is_new:
            self.diagnosis = None
            self._watch.trials.clear()  # they started from other weights
            self._rescuer = self._new_rescuer()

    def begin_epoch(self, epoch: int) -> None:
        """An epoch begins."""
        self._decide(EpochBegan(epoch))

    def hold_rate(self) -> None:
        """Lowers a rate that a scheduler has set without knowing of a rescue."""
        self._rescuer.hold_rate()

    def count_step(self, batch: int) -> bool:
        """A batch ends; returns whether a quick check is due."""
        self._step = self._steps_before + batch + 1
        if self._step < self._due_at:  # as almost always, which must cost nothing
            return False
        self._decide(StepEnded(self._step))
        return True

    def end_epoch(self, is_last: bool = True) -> None:
        """An epoch ends: its steps are counted, and the model is checked if it is due.

        Args:
            is_last: Whether it is the last one of this `fit`.
        """
        self._decide(StepEnded(self._step))
        self._steps_before = self.state.step
        if is_epoch_check_due(self.settings, self.state, is_last):
            self.quick_check(ends_epoch=True)
            self.layers.look(self.model, self.state.step)
        if self.rescues:
            self.rescues[-1].reach(self.last("skill"))
        if self.rescues and self.state.steps:
            self._rescuer.end_warm_up(self.last("skill"), self._when())

    def note_loss(self, logs: dict) -> None:
        """Keeps the loss of an epoch, for the picture.

        Args:
            logs: Dict of the epoch.
        """
        loss, validation = (
            float(logs.get(key, float("nan"))) for key in ("loss", "val_loss")
        )
        self.losses.append(EpochLoss(self.state.step, loss, validation))

    def end(self) -> None:
        """Training ends: a last diagnosis where it has not gone well."""
        self._decide(StepEnded(self._step))
        skill = self.last("skill")
        unmeasured = unmeasured_line(self.history["skill"])
        if unmeasured and not self._is_told and self.diagnosis is None:
            self._is_told = True
            tell(unmeasured)
        self._rescuer.put_best_back(skill, self.state.steps)
        if self._decide(TrainingEnded(skill)) is Action.CONTINUE:
            return
        snapshot = self._watch.snapshot()
        is_hopeless = not skill >= HEALTHY
        start = self._rescuer.initial if has_ended(snapshot) else None
        diagnosis = self._watch.examine(snapshot, start, trial=is_hopeless)
        gap = stale_statistics(diagnosis)
        *_, before, last = [0.0, *self.history["skill"]]
        event = EndExamined(
            skill,
            counts=self._counted(diagnosis) is not None,
            is_ok=diagnosis.ok,
            has_error=has_error(diagnosis),
            has_one_class=has_one_class(self._watch),
            names_cause=names_cause(diagnosis)
            and (has_error(diagnosis) or not self.state.is_series),
            is_collapse=is_collapse(diagnosis),
            explains_as_note=explains_as_note(diagnosis),
            is_growing=last > before + GROWING,
            may_pass=may_pass(diagnosis, self.state.steps),
            has_gap=gap is not None,
            was_reported=self.diagnosis is not None,
        )
        action = self._decide(event)
        if action is Action.RECALIBRATE:
            moment = self._moment()._replace(words="after the last step")
            helped = self._rescuer.recalibrate(gap, moment)
            action = self._decide(event._replace(is_recalibrated=helped))
        if action is Action.CONTINUE:
            return
        self.diagnosis = diagnosis
        if action is Action.RAISE:
            raise DiagnosisError(diagnosis)
        if action is Action.REPORT:
            self._warn()

    def last(self, key: str) -> float:
        """The last number of the history, NaN for none."""
        return self.history[key][-1] if self.history[key] else float("nan")

    def _decide(self, event: Event) -> Action:
        self.state, action = decide(self.settings, self.state, event)
        self._due_at = next_check_within(self.settings, self.state)
        return action

    def quick_check(self, ends_epoch: bool = False) -> None:
        """Compares a few predictions with their targets; all checks may follow.

        Args:
            ends_epoch: Whether an epoch ends.
        """
        state = self.state
        if self.history["step"][-1:] == [state.step]:
            return
        seen = self._watch.quick_check(state.steps)
        is_open = seen.skill < ALIVE and not is_reported(self.settings, state)
        if is_open and self._is_slow():
            seen = seen._replace(is_suspicious=True, is_lost=True)
        for key, value in (
            ("step", state.step),
            ("epoch", state.epoch),
            ("std_ratio", seen.std_ratio),
            ("skill", seen.skill),
        ):
            self.history[key].append(value)
        self._rescuer.keep_best(seen.skill)
        if self._is_earlier and seen.skill >= LEARNED:
            self.diagnosis, self._is_earlier = None, False
        event = QuickChecked(seen.is_suspicious, self._lacks_skill(), ends_epoch)
        action = self._decide(event)
        if action is not Action.CONTINUE:
            self._full_check(seen, is_sure=action is Action.FIND_CAUSE)

    def _is_slow(self):
        """Whether the steps since the first known weights have hardly changed them."""
        steps = min(self.state.steps, self.state.step - self._begun_at)
        return self._rescuer.is_slow(steps)

    def _lacks_skill(self):
        """Whether the last check saw little skill, and no more than half way."""
        steps, skills = self.history["step"], self.history["skill"]
        if skills[-1] >= HEALTHY:
            return False
        half = [s for n, s in zip(steps, skills, strict=True) if 2 * n <= steps[-1]]
        return not half or not 1 - skills[-1] < (1 - GROWING) * (1 - half[-1])

    def _full_check(self, seen, is_sure):
        watch, rescuer = self._watch, self._rescuer
        snapshot = watch.snapshot()
        symptoms = watch.symptoms(snapshot)
        has_collapsed = is_collapse(symptoms, seen.is_dying)
        event = SymptomsSeen(
            has_collapsed,
            seen.is_lost,
            is_irreversible(symptoms),
            frozenset(f"{f.code} {f.severity}" for f in symptoms.findings),
        )
        if not is_sure and self._decide(event) is not Action.FIND_CAUSE:
            return
        diagnosis = watch.examine(snapshot, rescuer.initial, trial=True)
        # Where skill is merely small, or targets move, a warning is no news.
        named = is_named(diagnosis, self.state.steps)
        if is_sure or self.state.is_series:
            named = has_error(diagnosis)
        action = self._decide(
            CauseSought(
                has_collapsed,
                named,
                may_pass(diagnosis, self.state.steps),
                is_irreversible(diagnosis),
                self._counted(diagnosis) is not None,
                rescuer.was_slow,
                watch.does_no_harm,
                watch.higher_rate() is not None,
            )
        )
        if action is Action.REPORT:
            # A rate that works from the initial weights may fail from the present ones.
            is_open = not names_cause(diagnosis) and not has_ended(snapshot)
            self.diagnosis = (
                watch.examine(snapshot, trial=True) if is_open else diagnosis
            )
            self._act(self.diagnosis)
        elif action is Action.SPEED_UP:
            self._rescue(HIGHER, self.diagnosis or diagnosis)

    def _act(self, diagnosis):
        remedy, cause = find_remedy(diagnosis)
        if self.settings.action == "rescue":
            remedy, cause = self._rescuer.treatment(diagnosis) or (remedy, cause)
            if remedy is not None and remedy.is_tried:
                remedy = self._rescuer.proven(cause)
        action = self._decide(CollapseNamed(remedy is not None))
        if action is Action.RAISE:
            raise DiagnosisError(diagnosis)
        if action is Action.RESCUE:
            is_slow = cause is None and self._is_slow()
            self._rescue(HIGHER if is_slow else remedy, diagnosis)
            return
        self._warn()
        if action is Action.STOP:
            self.model.stop_training = True

    def _rescue(self, remedy, diagnosis):
        self._rescuer.rescue(remedy, diagnosis.findings[0], self._moment())
        self._decide(Rescued())

    def _new_rescuer(self):
        return Rescuer(self._watch, self.settings.action == "rescue", self.rescues)

    def _moment(self):
        state = self.state
        words = f"{self._when()}, step {state.step}"
        return Moment(words, state.step, state.epoch + 1, self.last("skill"))

    def _when(self):
        return f"epoch {self.state.epoch + 1}"

    def _counted(self, diagnosis):
        """A diagnosis, or None where none of its findings count."""
        if self.causes is None:
            return diagnosis
        codes = {f.code for f in diagnosis.findings if f.severity != "note"}
        return diagnosis if codes & set(self.causes) else None

    def _warn(self):
        if self.diagnosis is not None:
            when = self._moment().words if self.state.step else "before the first step"
            warn_caller(f"{when}: {self.diagnosis}", CollapseWarning)
