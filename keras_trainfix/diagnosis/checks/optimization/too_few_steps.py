"""KTF410: training that ended too early."""

from keras_trainfix.diagnosis.checks.optimization.preconditions import (
    goes_on,
    has_no_signal,
)
from keras_trainfix.diagnosis.experiments.planned import Planned
from keras_trainfix.diagnosis.experiments.results import Experiments
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import EFFECT
from keras_trainfix.messages import skill_in_words
from keras_trainfix.models.optimizers import accumulation_of

SOON = 0.003  # gain that shows that training still makes progress
LEAST_UPDATES = 100  # of the weights
WHOLE = 5  # epochs: a shorter `fit` may be one of many in a loop


@check(
    "KTF410",
    "too-few-steps",
    "note",
    action="train longer",
    scope="model",
    order=10,
    explains=("KTF504", "KTF505"),
    by_experiment=True,
)
def too_few_steps(snapshot: Snapshot) -> Found | None:
    """Training stopped too early: the loss is still falling.

    ## What you see
    Training ends after a few epochs with a poor score, while each epoch has a lower
    loss than the one before.

    ## Why it happens
    One epoch of a small data set is only a few steps: 300 rows in batches of 128 make
    three. Steps count, not epochs, and even a small model needs hundreds.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.001), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = 3 * x[:, :1]
    model.fit(x, y, batch_size=64, epochs=3, verbose=0)
    ```

    ## Fix
    Train for more epochs, or use smaller batches, until the validation loss stops
    falling (`keras.callbacks.EarlyStopping`).

    ```python
    model.optimizer.learning_rate = 0.02
    model.fit(x, y, batch_size=16, epochs=30, verbose=0)
    ```

    ## When this is not the cause
    If more steps no longer lower the loss, more epochs do not help.

    It is an error where `fit` cannot move a weight at all: `epochs` is the number of
    the last epoch, not above `initial_epoch`, or an optimizer with
    `gradient_accumulation_steps` waits for more batches than there will be.

    ## References
    [EarlyStopping](https://keras.io/api/callbacks/early_stopping/)
    """
    if snapshot.fit.planned_steps is not None:
        none = _no_update(snapshot, snapshot.fit.planned_steps)
        if none is not None:
            return none
    seen = snapshot.experiments
    if seen is not None and seen.planned is not None and seen.lacks_steps > EFFECT:
        return _by_plan(seen, seen.planned, snapshot.fit.epochs)
    trial = snapshot.trial
    if trial is None or trial.is_fresh or not snapshot.iterations:
        return None
    if has_no_signal(snapshot):
        return None  # it memorizes noise
    gain, skill = trial.gain(1.0), snapshot.least_skill
    if not gain > SOON or not skill < 0.5:
        return None
    if not goes_on(snapshot):
        return None  # so many steps would have done it: fit got something else
    return found(
        f"After {snapshot.iterations} steps {described_skill(skill)}. {trial.steps} "
        f"more steps lower the loss by {min(gain, 1):.1%}: training has not ended.",
        "model.fit(x, y, epochs=10)  # repeat until the validation loss stops falling",
        iterations=snapshot.iterations,
        gain=gain,
        skill=skill,
    )


def _by_plan(seen: Experiments, planned: Planned, epochs: int) -> Found:
    reached, own = planned.outcome.value, seen.controls[1.0].value
    best = ""
    if seen.best != 1:
        best = f", and {seen.control.value:.2f} at {seen.rate * seen.best:.3g}"
    return found(
        f"The {planned.steps} steps of `fit` reach skill {reached:.2f}; "
        f"{seen.steps} steps reach {own:.2f} at the same learning rate{best} (0 is a "
        "constant answer, 1 is perfect).",
        f"model.fit(x, y, epochs={epochs * -(-2 * seen.steps // planned.steps)})"
        "  # or smaller batches",
        severity="warning" if epochs >= WHOLE else "note",
        planned_steps=planned.steps,
        skill=reached,
        better_skill=seen.control.value,
    )


def _no_update(snapshot: Snapshot, steps: int) -> Found | None:
    """Where no weight moves in so many steps of `fit`."""
    fit, optimizer = snapshot.fit, getattr(snapshot.model, "optimizer", None)
    if not steps:
        return found(
            f"`fit` makes no step: it begins with initial_epoch={fit.initial_epoch} "
            f"and ends at epochs={fit.epochs}, which is the number of the last epoch.",
            f"model.fit(x, y, initial_epoch={fit.initial_epoch}, "
            f"epochs={fit.initial_epoch + fit.epochs})",
            severity="error",
            steps=0,
        )
    every = 1 if optimizer is None else accumulation_of(optimizer)
    if steps >= every:
        return None
    return found(
        f"No weight will move: the optimizer makes one update of the gradients of "
        f"{every} batches, and `fit` has {steps}.",
        "# compile with a smaller number: gradient_accumulation_steps="
        f"{max(2, steps // LEAST_UPDATES)}",
        severity="error",
        steps=steps,
        accumulated=every,
    )


def described_skill(skill: float) -> str:
    """A skill in words: below 0 it is not a share of anything.

    Examples:
        >>> described_skill(-1.63)
        'the model is worse than the best constant (skill -1.6)'
    """
    if skill < 0:
        return (
            f"the model is worse than the best constant (skill {skill_in_words(skill)})"
        )
    return (
        f"the model is {skill:.0%} of the way from the best constant to a perfect "
        "answer"
    )
