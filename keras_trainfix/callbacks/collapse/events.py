"""What happens in a training under watch: the events that the policy gets."""

from typing import NamedTuple


class EpochBegan(NamedTuple):
    """An epoch begins."""

    epoch: int


class FitBegan(NamedTuple):
    """Another `fit` begins; `is_new`: it does not continue from the last weights."""

    is_new: bool


class StepEnded(NamedTuple):
    """A batch ends; `step` counts all batches of this training."""

    step: int


class QuickChecked(NamedTuple):
    """A quick check was made.

    Attributes:
        is_suspicious: Whether the predictions look like those of a collapse.
        lacks_skill: Whether there is little skill, or none that can be measured, and no
            more than at half of the steps.
        ends_epoch: Whether it is the check at the end of an epoch.
    """

    is_suspicious: bool
    lacks_skill: bool = False
    ends_epoch: bool = False


class SymptomsSeen(NamedTuple):
    """The checks of symptoms ran.

    Attributes:
        has_collapsed: Whether the model gives no answer.
        is_lost: Whether skill is due and missing, or less than it was.
        is_irreversible: Whether no further step can change that.
        codes: Those of the symptoms.
    """

    has_collapsed: bool
    is_lost: bool
    is_irreversible: bool
    codes: frozenset[str] = frozenset()


class CauseSought(NamedTuple):
    """All checks ran, with a trial.

    Attributes:
        has_collapsed: As in `SymptomsSeen`.
        is_named: Whether a finding says why there is no skill.
        may_pass: Whether more steps may be all it takes.
        is_irreversible: Whether no further step can change it.
        counts: Whether a finding is among the `causes` that were asked for.
        was_sped_up: Whether the last rescue raised the learning rate.
        does_no_harm: Whether the steps of the trial at the present rate went down.
        has_higher_rate: Whether a higher rate did better in the trial.
    """

    has_collapsed: bool
    is_named: bool
    may_pass: bool = False
    is_irreversible: bool = False
    counts: bool = True
    was_sped_up: bool = False
    does_no_harm: bool = False
    has_higher_rate: bool = False


class CollapseNamed(NamedTuple):
    """A collapse is certain; `has_remedy`: there is one that `fit` may apply."""

    has_remedy: bool


class Rescued(NamedTuple):
    """A rescue was made."""


class TrainingEnded(NamedTuple):
    """`fit` ends; `skill` is that of the last quick check."""

    skill: float


class EndExamined(NamedTuple):
    """All checks ran at the end of `fit`.

    Attributes:
        skill: Float, that of the last quick check.
        counts: Whether a finding is among the `causes` that were asked for.
        is_ok: Whether there is no finding above a note.
        has_error: Whether there is an error.
        has_one_class: Whether all samples have one class.
        names_cause: Whether there is more than symptoms.
        is_collapse: Whether the model gives no answer.
        explains_as_note: Whether a mere note is reason enough for a failure.
        is_growing: Whether skill was still growing.
        may_pass: Whether more steps may be all it takes.
        has_gap: Whether statistics of batch normalization lag behind.
        is_recalibrated: Whether recalibrating them was tried, and helped; None before.
        was_reported: Whether there was a warning before the first step.
    """

    skill: float
    counts: bool = True
    is_ok: bool = False
    has_error: bool = False
    has_one_class: bool = False
    names_cause: bool = False
    is_collapse: bool = False
    explains_as_note: bool = False
    is_growing: bool = False
    may_pass: bool = False
    has_gap: bool = False
    is_recalibrated: bool | None = None
    was_reported: bool = False


Event = (
    FitBegan
    | EpochBegan
    | StepEnded
    | QuickChecked
    | SymptomsSeen
    | CauseSought
    | CollapseNamed
    | Rescued
    | TrainingEnded
    | EndExamined
)
