"""Tries treatments on the bench, and says which of them makes a model learn."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from keras_trainfix.diagnosis.budget import Deadline
from keras_trainfix.diagnosis.experiments.bench import Bench
from keras_trainfix.diagnosis.experiments.breakdown import breakdown
from keras_trainfix.diagnosis.experiments.lag import lag
from keras_trainfix.diagnosis.experiments.outcome import LOWEST, Outcome, gain
from keras_trainfix.diagnosis.experiments.pairs import pairs_of
from keras_trainfix.diagnosis.experiments.planned import planned
from keras_trainfix.diagnosis.experiments.results import Experiments, Tried
from keras_trainfix.diagnosis.experiments.training import training_of
from keras_trainfix.diagnosis.experiments.treatment import (
    TREATMENTS,
    Case,
    Treatment,
    Variant,
)
from keras_trainfix.diagnosis.findings import Finding
from keras_trainfix.diagnosis.fit_arguments import BATCH
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.observe.variation import is_finite
from keras_trainfix.diagnosis.thresholds import EFFECT, LEARNS, SPREADS
from keras_trainfix.messages import Progress, in_one_line

FACTORS = (1.0, 10.0, 0.1, 100.0)  # of the learning rate
DONE = 0.9  # skill with which there is nothing left to try
UNSTEADY = 0.1  # difference between two orders of the batches
FASTER = 10.0  # times the compiled rate
CLIMBS = 0.03  # skill gained in the second half of the steps
SHOWN_AFTER = 2.0  # seconds
MOVES = 0.1  # skill of a control that may only be slow
LONGER = 4  # times the steps
FOR_PAIRS = 8  # runs
FOR_CONTROL = 4  # runs for each control at another rate: few runs are for treatments
FAILED = Outcome(float("nan"), float("nan"), float("nan"), np.array([]))


def experiment(
    snapshot: Any,
    findings: Iterable[Finding],
    is_explained: bool,
    deadline: Deadline | None = None,
    weights: list | None = None,
) -> Experiments:
    """Tries what may help a model.

    Args:
        snapshot: `Snapshot` of a compiled model with targets.
        findings: `Finding`s whose treatments are tried first.
        is_explained: Whether a fact explains that it cannot learn, so that nothing else
            is tried.
        deadline: `Deadline`, a guard: the number of steps does not depend on it.
        weights: List of arrays to start from; None for the present ones.

    Returns:
        `Experiments`.
    """
    batch = snapshot.batch_size or BATCH
    deadline = deadline or Deadline()
    with untouched(snapshot.model):
        if weights is not None:
            snapshot.model.set_weights(weights)
        bench = Bench(training_of(snapshot), snapshot, batch)
        label = "diagnose: trying treatments"
        with Progress(bench.plan.runs, "run", SHOWN_AFTER, label) as progress:
            return _tried(
                bench, snapshot, tuple(findings), is_explained, deadline, progress
            )


def _tried(bench, snapshot, findings, is_explained, deadline, progress):
    start = _value_of_start(bench)
    found = Experiments(
        {1.0: _control(bench, snapshot)}, start, steps=bench.plan.steps, rate=bench.rate
    )
    found.breakdown = breakdown(bench, found.control)
    found.lag = lag(bench, snapshot, found.control)
    found.is_on_scale = any(map(_is_on_scale, snapshot.views()))
    # A fact needs no search for the rate that proves it wrong, and a higher rate makes
    # up for a schedule that ends at once.
    others: tuple[float, ...] = FACTORS[1:2] if is_explained else FACTORS[1:]
    others = others if bench.training.schedule is None else ()
    for factor in others[: bench.plan.runs // FOR_CONTROL]:
        if found.control.value >= DONE or deadline.is_over:
            break
        found.controls[factor] = _control(bench, snapshot, factor)
        progress.update(bench.runs)
    if not is_explained and not deadline.is_over:
        found.planned = planned(bench, snapshot, found.controls)
    if not is_explained and not deadline.is_over and _may_be_slow(bench, found):
        found.longer = _longer(bench, found)
    codes = {finding.code for finding in findings}
    wanted = _chosen(codes, is_explained or found.learns)
    if not wanted:
        return found
    if not deadline.is_over:
        found.spread = _spread(bench, snapshot, found)
    case = Case(bench.training, snapshot, findings)
    has_pairs = not found.learns and bench.plan.runs > 2 * FOR_PAIRS
    runs = bench.plan.runs - (FOR_PAIRS if has_pairs else 0)
    variants: list[tuple[Tried, Variant]] = []
    for treatment in wanted:
        for variant in _variants(treatment, case, found):
            if bench.runs >= runs or deadline.is_over:
                found.left_out.append(treatment.name)
                break
            try:
                tried = _tried_one(bench, treatment, variant, found)
            except Exception as error:  # of the user's code, or of the backend
                found.failed[treatment.name] = in_one_line(error)
            else:
                found.tried.append(tried)
                variants.append((tried, variant))
            progress.update(bench.runs)
    if found.learns:
        return found
    for treatment, variant in pairs_of(case, variants):
        if bench.runs >= bench.plan.runs or deadline.is_over or found.is_cured:
            break
        with contextlib.suppress(Exception):  # two changes that exclude each other
            found.tried.append(_tried_one(bench, treatment, variant, found))
        progress.update(bench.runs)
    return found


def _control(
    bench: Bench, snapshot: Any, factor: float = 1.0, order: int = 0
) -> Outcome:
    try:
        return bench.run(factor=factor, order=order)
    except Exception:
        if all(map(is_finite, snapshot.predictions)):
            raise
        return FAILED  # a loss that raises on answers that are not finite


def _may_be_slow(bench: Bench, found: Experiments) -> bool:
    """Whether more steps may be all that it takes, and can be paid for."""
    is_moving = found.control.value >= MOVES and not found.learns
    return is_moving and bench.runs + 2 * LONGER <= bench.plan.runs // 2


def _longer(bench: Bench, found: Experiments) -> Outcome:
    """More steps of the best control; at half the rate if they diverge."""
    steps = LONGER * bench.plan.steps
    longer = bench.run(factor=found.best, steps=steps)
    if longer.value >= found.control.value:
        return longer
    return bench.run(factor=found.best / 2, steps=steps)


def _is_on_scale(view: Any) -> bool:
    """Whether answers mean what targets do; a distance to a label does not."""
    targets = view.targets
    if view.head.is_probability or targets is None:
        return view.head.is_probability
    same = np.shape(targets) == view.predictions.shape
    return same and len(np.unique(targets)) > 2  # of text, too


def _value_of_start(bench: Bench) -> float:
    try:
        return bench.without_steps().value
    except Exception:  # as above
        return LOWEST


def _chosen(codes: set[str], only_these: bool) -> list[Treatment]:
    """The treatments to try, those of a finding first."""
    ordered = sorted(TREATMENTS.values(), key=lambda one: one.order)
    mine = [one for one in ordered if one.codes & codes]
    return mine if only_these else mine + [one for one in ordered if one not in mine]


def _variants(
    treatment: Treatment, case: Case, found: Experiments
) -> Iterator[Variant]:
    try:
        yield from treatment.variants(case)
    except Exception as error:  # data or layers of a kind it does not know
        found.failed[treatment.name] = in_one_line(error)


def _spread(bench: Bench, snapshot: Any, found: Experiments) -> float:
    """How much the skill of the control depends on the order of the batches."""

    def value(order: int) -> float:
        return _control(bench, snapshot, found.best, order).value

    values = [found.control.value, value(1)]
    if abs(values[1] - values[0]) > UNSTEADY:
        values += [value(2), value(3)]
    return float(np.std(values))


def _tried_one(
    bench: Bench, treatment: Treatment, variant: Variant, found: Experiments
) -> Tried:
    outcomes: list[Outcome] = []
    factors = list(dict.fromkeys((found.best, 1.0, FASTER)))
    for factor in factors:
        is_slow = not outcomes or outcomes[-1].climb > CLIMBS
        if factor == FASTER != found.best and not is_slow:
            break  # a higher rate is for what learns, too slowly
        outcomes.append(bench.run(variant.training, factor))
        if outcomes[-1].value >= LEARNS:
            break
    gains = [gain(outcome, found.control) for outcome in outcomes]
    best = int(np.argmax(gains))
    holds = gains[best] > max(EFFECT, SPREADS * found.spread)
    return Tried(
        treatment,
        variant.words,
        variant.code,
        outcomes[best],
        gains[best],
        holds,
        factors[best],
        variant.mend,
    )
