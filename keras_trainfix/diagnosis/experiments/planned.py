"""What a short `fit` reaches, in as many steps as it makes."""

from typing import Any, NamedTuple

from keras_trainfix.diagnosis.experiments.bench import Bench
from keras_trainfix.diagnosis.experiments.outcome import Outcome
from keras_trainfix.diagnosis.thresholds import LEARNS

MOST = 4  # times the steps of a run


class Planned(NamedTuple):
    """What the steps of `fit` reached at the learning rate of the user.

    Attributes:
        steps: Integer.
        outcome: `Outcome`.
    """

    steps: int
    outcome: Outcome


def planned(
    bench: Bench, snapshot: Any, controls: dict[float, Outcome]
) -> Planned | None:
    """Makes the steps of `fit`, if their number may be the fault.

    It may be where fewer steps than those of the control are too few, or more of them
    would still not reach what other learning rates do.

    Args:
        bench: `Bench` that ran the controls.
        snapshot: `Snapshot` whose `fit` says how many steps there are.
        controls: Dict of the factor of the learning rate to its `Outcome`.

    Returns:
        `Planned`, or None where the number of steps is not known, too large to try, or
        not in question.
    """
    steps = snapshot.fit.planned_steps
    if not steps or snapshot.iterations or steps > MOST * bench.plan.steps:
        return None
    own = controls[1.0].value >= LEARNS
    others = any(outcome.value >= LEARNS for outcome in controls.values())
    if (own and steps >= bench.plan.steps) or not others:
        return None
    return Planned(steps, bench.run(steps=steps))
