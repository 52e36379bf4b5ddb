"""Tries treatments on the bench, and says which of them makes a model learn."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.data import leaves
from keras_trainfix.diagnosis.budget import Deadline
from keras_trainfix.diagnosis.experiments.backward import untouched
from keras_trainfix.diagnosis.experiments.bench import Bench
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
from keras_trainfix.diagnosis.thresholds import EFFECT, LEARNS, SPREADS
from keras_trainfix.messages import Progress, in_one_line

FACTORS = (1.0, 10.0, 0.1, 100.0)  # of the learning rate
DONE = 0.9  # skill with which there is nothing left to try
UNSTEADY = 0.1  # difference between two orders of the batches
ALIKE = 0.15  # gain within which the smaller intervention is the better one
FASTER = 10.0  # times the compiled rate
CLIMBS = 0.03  # skill gained in the second half of the steps
FALLEN = 0.02  # skill lost in a run with which a model does not learn
BATCH = 32  # where `fit` does not say
SHOWN_AFTER = 2.0  # seconds


class Tried(NamedTuple):
    """A treatment that was tried.

    Attributes:
        treatment: `Treatment`.
        words: String that ends the sentence "it learns with ...".
        code: String, what the user pastes.
        outcome: `Outcome`.
        gain: Float, over the best control.
        holds: Whether the gain counts.
    """

    treatment: Treatment
    words: str
    code: str
    outcome: Outcome
    gain: float
    holds: bool


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
        by_loss = max(
            (o.loss_skill for o in self.controls.values() if np.isfinite(o.loss_skill)),
            default=-1.0,
        )
        by_task = value >= LEARNS and value >= self.start - FALLEN
        return bool(by_task or (by_loss >= LEARNS and value == LOWEST))

    @property
    def cure(self) -> Tried | None:
        """The smallest intervention that does about as well as the best; or None."""
        good = [tried for tried in self.tried if tried.holds]
        most = max((tried.gain for tried in good), default=0.0)
        near = [tried for tried in good if tried.gain >= most - ALIKE]
        return min(near, key=lambda tried: tried.treatment.order, default=None)

    def proof_of(self, code: str) -> Tried | None:
        """What was tried against the cause that a code names; the best of several."""
        mine = [tried for tried in self.tried if code in tried.treatment.codes]
        return max(mine, key=lambda tried: tried.gain, default=None)


def experiment(
    snapshot: Any,
    codes: Iterable[str],
    is_explained: bool,
    deadline: Deadline | None = None,
    weights: list | None = None,
) -> Experiments:
    """Tries what may help a model.

    Args:
        snapshot: `Snapshot` of a compiled model with targets.
        codes: Codes of the findings whose treatments are tried first.
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
            return _tried(bench, snapshot, set(codes), is_explained, deadline, progress)


def _tried(bench, snapshot, codes, is_explained, deadline, progress):
    start = bench.without_steps().value
    found = Experiments({1.0: bench.run()}, start, steps=bench.plan.steps)
    for factor in FACTORS[1:]:
        if found.control.value >= DONE or deadline.is_over:
            break
        found.controls[factor] = bench.run(factor=factor)
        progress.update(bench.runs)
    wanted = _chosen(codes, is_explained or found.learns)
    if not wanted:
        return found
    found.spread = _spread(bench, found)
    case = Case(bench.training, snapshot)
    for treatment in wanted:
        for variant in _variants(treatment, case, found):
            if bench.runs >= bench.plan.runs or deadline.is_over:
                found.left_out.append(treatment.name)
                break
            try:
                found.tried.append(_tried_one(bench, treatment, variant, found))
            except Exception as error:  # of the user's code, or of the backend
                found.failed[treatment.name] = in_one_line(error)
            progress.update(bench.runs)
    return found


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


def _spread(bench: Bench, found: Experiments) -> float:
    """How much the skill of the control depends on the order of the batches."""
    values = [found.control.value]
    values.append(bench.run(factor=found.best, order=1).value)
    if abs(values[1] - values[0]) > UNSTEADY:
        values += [bench.run(factor=found.best, order=n).value for n in (2, 3)]
    return float(np.std(values))


def _tried_one(
    bench: Bench, treatment: Treatment, variant: Variant, found: Experiments
) -> Tried:
    outcomes: list[Outcome] = []
    for factor in dict.fromkeys((found.best, 1.0, FASTER)):
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
    )


def _size_of_batches(snapshot: Any) -> int | None:
    if snapshot.batches is None:
        return None
    first = snapshot.batches.first[0]
    return len(leaves(first.x)[0])
