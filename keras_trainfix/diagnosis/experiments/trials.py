"""Tries treatments on the bench, and says which of them makes a model learn."""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.data import leaves
from keras_trainfix.diagnosis.budget import Deadline
from keras_trainfix.diagnosis.experiments.bench import Bench
from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.outcome import LOWEST, Outcome, gain
from keras_trainfix.diagnosis.experiments.training import (
    MOST_HELD_OUT,
    MOST_TRAINED,
    Training,
    split_samples,
)
from keras_trainfix.diagnosis.experiments.treatment import (
    TREATMENTS,
    Case,
    Treatment,
    Variant,
)
from keras_trainfix.diagnosis.findings import Finding
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.observe.variation import is_finite
from keras_trainfix.diagnosis.thresholds import EFFECT, LEARNS, SPREADS
from keras_trainfix.messages import Progress, in_one_line

FACTORS = (1.0, 10.0, 0.1, 100.0)  # of the learning rate
CURED = 0.7  # skill with which one treatment is enough
DONE = 0.9  # skill with which there is nothing left to try
UNSTEADY = 0.1  # difference between two orders of the batches
ALIKE = 0.15  # gain within which the smaller intervention is the better one
HARDLY = 0.05  # gain within which a copy is as good as another
FASTER = 10.0  # times the compiled rate
CLIMBS = 0.03  # skill gained in the second half of the steps
OPPOSITE = -0.5  # skill of answers that rank the other way, as distances do
FALLEN = 0.02  # skill lost in a run with which a model does not learn
BATCH = 32  # where `fit` does not say
SHOWN_AFTER = 2.0  # seconds
FOR_PAIRS = 8  # runs
MOST_PAIRED = 3  # treatments, the best ones
PAIR = 100  # a pair is a larger intervention than any single treatment
EXCLUSIVE = {"relu", "gelu", "tanh"}
FAILED = Outcome(float("nan"), float("nan"), float("nan"), np.array([]))


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


@dataclass
class Experiments:
    """What the bench showed.

    Attributes:
        controls: Dict of the factor of the learning rate to its `Outcome`.
        start: Float, the skill before the first step.
        spread: Float, between orders of the batches.
        steps: Integer, steps of each run.
        tried: List of `Tried`.
        left_out: Names of the treatments for which there was no time.
        failed: Dict of the name of a treatment to why it could not be tried.
    """

    controls: dict[float, Outcome]
    start: float
    spread: float = 0.0
    steps: int = 0
    tried: list[Tried] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

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
        only the loss shows that it learns.
        """
        value = self.control.value
        by_task = value >= LEARNS and value >= self.start - FALLEN
        by_loss = any(
            outcome.loss_skill >= LEARNS and outcome.value <= OPPOSITE
            for outcome in self.controls.values()
        )
        return by_task or by_loss

    @property
    def is_cured(self) -> bool:
        """Whether a treatment does so well that no pair is tried."""
        return any(tried.outcome.value >= CURED for tried in self.tried)

    @property
    def cure(self) -> Tried | None:
        """The smallest intervention that does about as well as the best; or None."""
        good = [tried for tried in self.tried if tried.holds]
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
    train, held_out = split_samples(snapshot.more(MOST_TRAINED + MOST_HELD_OUT))
    training = Training(snapshot.model, train, held_out)
    batch = snapshot.fit.batch_size or _size_of_batches(snapshot) or BATCH
    deadline = deadline or Deadline()
    with untouched(snapshot.model):
        if weights is not None:
            snapshot.model.set_weights(weights)
        bench = Bench(training, snapshot, batch)
        with Progress(bench.plan.runs, "experiment", SHOWN_AFTER) as progress:
            return _tried(
                bench, snapshot, tuple(findings), is_explained, deadline, progress
            )


def _tried(bench, snapshot, findings, is_explained, deadline, progress):
    start = _value_of_start(bench)
    found = Experiments({1.0: _control(bench, snapshot)}, start, steps=bench.plan.steps)
    # A fact needs no search for the rate that proves it wrong.
    for factor in FACTORS[1:2] if is_explained else FACTORS[1:]:
        if found.control.value >= DONE or deadline.is_over:
            break
        found.controls[factor] = _control(bench, snapshot, factor)
        progress.update(bench.runs)
    codes = {finding.code for finding in findings}
    wanted = _chosen(codes, is_explained or found.learns)
    if not wanted:
        return found
    found.spread = _spread(bench, snapshot, found)
    case = Case(bench.training, snapshot, findings)
    runs = bench.plan.runs - (0 if found.learns else FOR_PAIRS)
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
    for treatment, variant in _pairs(case, variants, found):
        if bench.runs >= bench.plan.runs or deadline.is_over or found.is_cured:
            break
        with contextlib.suppress(Exception):  # two changes that exclude each other
            found.tried.append(_tried_one(bench, treatment, variant, found))
        progress.update(bench.runs)
    return found


def _pairs(
    case: Case, variants: list[tuple[Tried, Variant]], found: Experiments
) -> Iterator[tuple[Treatment, Variant]]:
    """The best treatments two by two, as treatments of their own."""
    best: dict[str, tuple[Tried, Variant]] = {}
    for tried, variant in sorted(variants, key=lambda pair: -pair[0].gain):
        best.setdefault(tried.treatment.name, (tried, variant))
    pairs = itertools.combinations(list(best.values())[:MOST_PAIRED], 2)
    for (one, first), (other, second) in pairs:
        if {one.treatment.name, other.treatment.name} <= EXCLUSIVE:
            continue
        after_first = case._replace(training=first.training)
        for variant in _variants(other.treatment, after_first, found):
            if variant.words == second.words:
                yield _pair(one.treatment, other.treatment), _both(first, variant)


def _pair(one: Treatment, other: Treatment) -> Treatment:
    return Treatment(
        f"{one.name} and {other.name}",
        PAIR + max(one.order, other.order),
        other.variants,
        one.codes | other.codes,
    )


def _both(first: Variant, second: Variant) -> Variant:
    """The second variant, which was made of the training of the first."""
    one, other = first.mend, second.mend

    def mend(mended: Mended) -> None:
        if one is not None and other is not None:
            other(mended)  # the outer change of a layer
            one(mended)

    return Variant(
        f"{first.words} and {second.words}",
        second.training,
        f"{first.code}\n{second.code}",
        None if one is None or other is None else mend,
    )


def _control(
    bench: Bench, snapshot: Any, factor: float = 1.0, order: int = 0
) -> Outcome:
    try:
        return bench.run(factor=factor, order=order)
    except Exception:
        if all(map(is_finite, snapshot.predictions)):
            raise
        return FAILED  # a loss that raises on answers that are not finite


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


def _size_of_batches(snapshot: Any) -> int | None:
    if snapshot.batches is None:
        return None
    first = snapshot.batches.first[0]
    return len(leaves(first.x)[0])
