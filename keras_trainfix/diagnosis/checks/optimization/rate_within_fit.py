"""Another learning rate that does within a short `fit` what the user's does not."""

from keras_trainfix.diagnosis.checks.optimization.rate_code import at_rate
from keras_trainfix.diagnosis.registry import Found, found
from keras_trainfix.diagnosis.snapshot import Snapshot


def rate_within_fit(snapshot: Snapshot, higher: bool) -> Found | None:
    """What the bench has shown of the learning rate, for a `fit` of few steps.

    Args:
        snapshot: `Snapshot` with its `experiments`.
        higher: Boolean, whether a higher rate is looked for, or a lower one.

    Returns:
        `Found`, or None.
    """
    seen = snapshot.experiments
    factor = None if seen is None else seen.other_rate
    if seen is None or seen.planned is None or factor is None or (factor > 1) != higher:
        return None
    rate = seen.rate
    return found(
        f"All {seen.planned.steps} steps of `fit` at the learning rate {rate:.3g} "
        f"reach skill {seen.planned.outcome.value:.2f}; {seen.steps} steps at "
        f"{rate * factor:.3g} reach {seen.control.value:.2f} (0 is a constant answer, "
        "1 is perfect).",
        at_rate(snapshot, rate * factor, rate),
        severity="error",
        learning_rate=rate,
        better_rate=rate * factor,
        planned_steps=seen.planned.steps,
        skill=seen.planned.outcome.value,
        better_skill=seen.control.value,
    )
