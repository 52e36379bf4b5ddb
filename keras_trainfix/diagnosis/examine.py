"""Runs the checks on a snapshot, and adds what experiments have shown."""

from collections.abc import Callable
from dataclasses import replace

from keras_trainfix.data import is_text
from keras_trainfix.diagnosis.experiments.instrument import failures, names_of_answers
from keras_trainfix.diagnosis.experiments.proving import cure_of, curves_of, proven
from keras_trainfix.diagnosis.experiments.results import Experiments
from keras_trainfix.diagnosis.experiments.training import (
    MOST_HELD_OUT,
    MOST_TRAINED,
    split_samples,
)
from keras_trainfix.diagnosis.findings import Diagnosis, Finding
from keras_trainfix.diagnosis.measure.unmeasured import few_labels, unjudged, unmeasured
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged
from keras_trainfix.diagnosis.ranking import ranked
from keras_trainfix.diagnosis.registry import CHECKS, Check
from keras_trainfix.diagnosis.report.figures import figures_of
from keras_trainfix.diagnosis.report.layer_picture import layer_summaries
from keras_trainfix.diagnosis.report.plots import dead_shares, output_summary
from keras_trainfix.diagnosis.snapshot import CallError, Snapshot
from keras_trainfix.diagnosis.standing import standing
from keras_trainfix.diagnosis.thresholds import LEARNS
from keras_trainfix.messages import count, in_one_line


def examine(
    snapshot: Snapshot, condition: Callable[[Check], bool] | None = None
) -> Diagnosis:
    """Runs the checks.

    Args:
        snapshot: `Snapshot`.
        condition: Function of a `Check`, whether to run it; None for all.

    Returns:
        `Diagnosis`.
    """
    views = snapshot.views()
    findings, skipped, asked = [], {}, 0
    for check in CHECKS.values():
        if condition is not None and not condition(check):
            continue
        asked += 1
        for subject in views if check.scope == "output" else [snapshot]:
            try:
                finding = check.run(subject)
            except Exception as error:  # a check that fails must not hide the others
                skipped[check.code] = in_one_line(error)
                continue
            if finding is not None:
                findings.append(finding)
    asked -= len(skipped)
    skipped |= failures(snapshot.measured)
    if condition is None and not any(f.severity == "error" for f in findings):
        skipped |= _answers(snapshot)
    tasks = {view.name: view.task for view in views if not is_text(view.targets)}
    tasks = tasks if snapshot.layers else {}
    outputs = tuple(filter(None, map(output_summary, views)))
    dead = dead_shares(snapshot.layers)
    return Diagnosis(
        ranked(findings),
        tasks,
        skipped,
        outputs,
        dead,
        names_of_answers(snapshot.measured),
        _remarks(snapshot),
        layer_summaries(snapshot),
        standing=standing(snapshot, asked),
        figures=figures_of(snapshot) if condition is None else None,
    )


def with_proofs(
    snapshot: Snapshot, diagnosis: Diagnosis, is_fresh: bool = False
) -> Diagnosis:
    """The diagnosis with what the experiments of a snapshot have shown.

    Args:
        snapshot: `Snapshot`.
        diagnosis: `Diagnosis` by the checks.
        is_fresh: Boolean, whether the experiments began with new initial weights.
    """
    if snapshot.experiments is None:
        return diagnosis
    by_steps = examine(snapshot, lambda check: check.by_experiment).findings
    shown = [finding for finding in by_steps if finding.code[3] == "6"]
    before = {finding.code for finding in diagnosis.findings}
    causes = [f for f in by_steps if f not in shown and f.code not in before]
    found = [*diagnosis.findings, *causes]
    bad = {finding.code for finding in found if finding.severity != "note"}
    cure = snapshot.experiments.cure
    if cure is not None and cure.treatment.codes & bad:
        shown = []  # it is the proof of what was found
    if any(not CHECKS[code].is_symptom for code in bad):
        shown = [finding for finding in shown if finding.code != "KTF602"]
    known = [proven(finding, snapshot.experiments) for finding in found]
    if any(_is_proven_cause(finding) for finding in known):
        shown = []  # what was found, and cured, is the cause
    findings = [*known, *shown]
    findings = ranked([_weighed(f, snapshot.experiments) for f in findings])
    few: tuple[str, ...] = ()
    if shown or any(f.proof is not None for f in findings):
        few = _few_held_out(snapshot)
    stands, own = diagnosis.standing, snapshot.experiments.controls[1.0].value
    if stands is not None:
        stands = stands._replace(control=(snapshot.experiments.steps, own))
    return replace(
        diagnosis,
        standing=stands,
        findings=findings,
        remarks=diagnosis.remarks + few,
        cure=cure_of(snapshot.experiments, is_fresh),
        curves=curves_of(snapshot.experiments),
    )


def _is_proven_cause(finding: Finding) -> bool:
    holds = finding.proof is not None and finding.proof.holds
    is_cause = not CHECKS[finding.code].is_symptom
    return finding.severity != "note" and is_cause and holds


def _weighed(finding: Finding, experiments: Experiments) -> Finding:
    """The finding; a note if it is of a degree that was tried and does no harm."""
    own = experiments.controls[1.0].value  # at the user's rate
    tried = finding.proof is not None and not finding.proof.holds
    is_harmless = tried and experiments.learns and own >= LEARNS
    if finding.severity == "warning" and is_harmless and CHECKS[finding.code].of_degree:
        return replace(finding, severity="note")
    return finding


def _few_held_out(snapshot: Snapshot) -> tuple[str, ...]:
    """A sentence for each output whose tried skill rests on few samples of a class."""
    _, held_out = split_samples(snapshot.more(MOST_TRAINED + MOST_HELD_OUT))
    views = Snapshot(snapshot.model, *held_out[:3]).views()
    return tuple(
        f"What was tried is measured on few held-out samples: {few}."
        for few in dict.fromkeys(map(few_labels, views))
        if few
    )


def _answers(snapshot: Snapshot) -> dict[str, str]:
    """What to say of answers that could not be judged: an entry of `skipped`, or none.

    Their own fault, where there is one, is a finding.
    """
    try:
        lines = unjudged(snapshot)
    except Exception:  # targets that do not fit, which a check names
        lines = []
    return {"answers": " ".join(lines)} if lines else {}


def _remarks(snapshot: Snapshot) -> tuple[str, ...]:
    taken = 0 if snapshot.batches is None else snapshot.batches.taken
    try:
        lines = unmeasured(snapshot)
    except Exception:  # targets that do not fit, which a check names
        lines = []
    if snapshot.fixed_size is not None:
        lines.append(
            f"The model takes batches of {snapshot.fixed_size} alone: one of them was "
            "looked at."
        )
    if taken:
        lines.append(
            f"{count(taken, 'batch')} of the iterator went into this diagnosis, and "
            "`fit` will not see them: create the iterator again."
        )
    return tuple(lines)


def asked_again(snapshot: Snapshot, weights: list, diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis of a model that training has ended, with what its start shows.

    NaN and dead units hide what led there. So the checks of gradients and steps are
    asked at new weights, and their answers replace those at the present ones.

    Args:
        snapshot: `Snapshot` of the present weights.
        weights: List of arrays, the initial ones.
        diagnosis: `Diagnosis` at the present weights.
    """
    sample = snapshot.sample
    with unchanged(snapshot.model, weights=True):
        snapshot.model.set_weights(weights)
        try:
            start = Snapshot(
                snapshot.model,
                sample.x,
                sample.y,
                sample.sample_weight,
                fit=snapshot.fit,
            )
        except CallError:
            return diagnosis
        start.may_step = snapshot.may_step
        found = examine(start, lambda check: check.at_start).findings
    kept = [f for f in diagnosis.findings if not CHECKS[f.code].at_start]
    return replace(diagnosis, findings=ranked(kept + found))
