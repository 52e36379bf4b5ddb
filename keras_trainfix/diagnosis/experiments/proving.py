"""Gives findings their proof: what a treatment of the cause did on the bench."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from keras_trainfix.diagnosis.budget import Deadline
from keras_trainfix.diagnosis.experiments.outcome import Outcome
from keras_trainfix.diagnosis.experiments.own_step import optimizers_of
from keras_trainfix.diagnosis.experiments.results import Experiments, Tried
from keras_trainfix.diagnosis.experiments.trials import experiment
from keras_trainfix.diagnosis.findings import Cure, Finding, Proof, SkillCurve
from keras_trainfix.diagnosis.observe.label_faults import unreadable
from keras_trainfix.diagnosis.observe.variation import is_finite
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.trial.user_step import has_own_step
from keras_trainfix.messages import in_one_line

MOST_DRAWN = 4  # treatments


def can_be_treated(snapshot: Any) -> bool:
    """Whether steps can be tried: a trial was made, or the answers broke its loss.

    Args:
        snapshot: `Snapshot`.
    """
    if snapshot.trial is not None:
        return True
    if has_own_step(snapshot.model):
        return _can_step(snapshot)
    is_broken = not all(map(is_finite, snapshot.predictions))
    return bool(snapshot.may_step and is_broken and snapshot.step_failure)


def _can_step(snapshot: Any) -> bool:
    """Whether the user's own step can be tried: it is called with one optimizer."""
    model = snapshot.model
    return bool(
        snapshot.may_step
        and snapshot.has_targets
        and model.trainable_variables
        and list(optimizers_of(model)) == ["optimizer"]
        and not any(map(unreadable, snapshot.views()))
    )


def try_treatments(
    snapshot: Any,
    findings: list[Finding],
    deadline: Deadline | None = None,
    weights: list | None = None,
) -> str | None:
    """Tries what may help, and keeps the `Experiments` on the snapshot.

    Args:
        snapshot: `Snapshot`; its `experiments` are set.
        findings: List of `Finding` so far.
        deadline: `Deadline`; by default one that begins now.
        weights: List of arrays to start from; None for the present ones.

    Returns:
        A sentence that says what could not be tried, or None.
    """
    bad = [finding for finding in findings if finding.severity != "note"]
    errors = [f for f in bad if f.severity == "error"]
    is_explained = any(not CHECKS[f.code].is_symptom for f in errors)
    try:
        found = experiment(snapshot, bad, is_explained, deadline, weights)
    except Exception as error:  # the user's code, or the backend
        return f"No treatment was tried: {in_one_line(error)}."
    snapshot.experiments = found
    if found.left_out:
        return f"There was no time to try: {', '.join(dict.fromkeys(found.left_out))}."
    return None


def proven(finding: Finding, experiments: Experiments) -> Finding:
    """The finding with its proof, if its cause was treated.

    Args:
        finding: `Finding`.
        experiments: `Experiments`.
    """
    tried = experiments.proof_of(finding.code)
    return (
        finding if tried is None else replace(finding, proof=proof(tried, experiments))
    )


def cure_of(
    experiments: Experiments,
    is_fresh: bool,
    fits: Callable[[Any], bool] = lambda mend: True,
) -> Cure | None:
    """The `Cure` that experiments have shown, or None.

    Args:
        experiments: `Experiments`.
        is_fresh: Boolean, whether they began with new initial weights.
        fits: Function of the `mend` of a treatment, whether it can be used.
    """
    tried = experiments.best_cure(fits)
    if tried is None:
        return None
    shown = proof(tried, experiments)
    codes = tried.treatment.codes
    return Cure(tried.words, tried.mend, tried.factor, shown, is_fresh, codes)


def curves_of(experiments: Experiments) -> tuple[SkillCurve, ...]:
    """What is drawn of the experiments: all controls, and the best treatments."""
    steps = (0, experiments.steps // 2, experiments.steps)

    def curve(words: str, outcome: Outcome, is_control: bool) -> SkillCurve:
        skills = (experiments.start, outcome.half, outcome.value)
        return SkillCurve(words, steps, skills, is_control)

    best = sorted(experiments.tried, key=lambda tried: -tried.outcome.value)
    return (
        *(
            curve(f"learning rate times {factor:g}", outcome, True)
            for factor, outcome in experiments.controls.items()
        ),
        *(curve(tried.words, tried.outcome, False) for tried in best[:MOST_DRAWN]),
    )


def proof(tried: Tried, experiments: Experiments) -> Proof:
    """The `Proof` of a treatment that was tried."""
    return Proof(
        tried.words,
        experiments.control.value,
        tried.outcome.value,
        experiments.steps,
        tried.holds,
    )
