"""KTF402: steps that are too short."""

import contextlib
import copy
import io

import keras
import numpy as np

from keras_trainfix.diagnosis.change import take_better_rate
from keras_trainfix.diagnosis.checks.optimization.preconditions import (
    HARDLY,
    has_no_signal,
    may_blame_rate,
)
from keras_trainfix.diagnosis.checks.optimization.rate_code import at_rate
from keras_trainfix.diagnosis.checks.optimization.rate_within_fit import (
    rate_within_fit,
)
from keras_trainfix.diagnosis.fix_code import recompiled
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.models.optimizers import (
    FEW,
    highest_rates,
    rate_of,
    rates_of_epochs,
    schedule_of,
    steps_of_schedule,
    worth_of_epochs,
)

NO_RATE = 1e-12
FEW_EPOCHS = 3  # at the first rate: fewer are not enough
STANDSTILL, NOTHING = 0.5, 1e-5  # share of the epochs, and of the highest rate
FEWEST_EPOCHS, MOST_EPOCHS = 10, 500  # that a schedule of epochs is asked for
LEAST_SHARE = 0.05  # of the highest rate of a schedule, within `fit`
MORE = 5  # times the gain, which a rate ten times as large must reach
MEASURABLE = 1e-3  # gain beyond rounding
FAR = 10_000  # steps that a loss would need to fall to 0
NO_SKILL, FAR_FOR_BLIND = 0.05, 3000  # of a trained model without skill


@check(
    "KTF402",
    "learning-rate-too-low",
    "warning",
    action="keep the learning rate higher[, at {better_rate}]",
    scope="model",
    order=4,
    explains=("KTF501", "KTF504", "KTF505"),
    persistent=True,
    by_experiment=True,
    repair=take_better_rate,
    rate="higher",
)
def learning_rate_too_low(snapshot: Snapshot) -> Found | None:
    """Steps at this learning rate hardly change the loss, and longer ones lower it.

    ## What you see
    The loss changes only in the fourth digit from epoch to epoch. Predictions stay as
    the initial weights made them, or are in the right order and far too small.

    ## Why it happens
    The learning rate was copied from a fine-tuning recipe, or lowered while something
    else was wrong, or a schedule ends at once, that of the optimizer or that of a
    `LearningRateScheduler` among the callbacks. SGD needs rates a hundred times those
    of Adam.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(1e-6), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = 3 * x[:, :1]
    ```

    ## Fix
    Multiply the learning rate by 10 until the first steps lower the loss clearly, and
    stop before they raise it.

    ```python
    model.optimizer.learning_rate = 1e-2
    ```

    ## When this is not the cause
    A nearly trained model has little to gain from any rate. If longer steps do not
    lower the loss either, look for a vanishing gradient or for dead units.

    ## References
    [Bengio, 2012](https://arxiv.org/abs/1206.5533)
    """
    optimizer = getattr(snapshot.model, "optimizer", None)
    steps = (
        steps_of_schedule(optimizer) if optimizer and not snapshot.iterations else FEW
    )
    if steps < FEW:
        return found(
            "The schedule lowers the learning rate so soon that all steps together are "
            f"worth {steps:.2g} at its start. Schedules count steps, not epochs.",
            recompiled(
                snapshot.model,
                "# or a schedule with decay_steps in steps: epochs * steps per epoch",
            ),
            severity="error",
            steps_worth=steps,
            better_rate=rate_of(optimizer),  # kept
        )
    within, whole = _rates_of_plan(snapshot)
    if within < LEAST_SHARE * whole:
        return found(
            f"In the {snapshot.fit.planned_steps} steps of `fit` the schedule reaches "
            f"{within:.2g} of the {whole:.2g} that it warms up to: the warmup is "
            "longer than the training.",
            recompiled(
                snapshot.model,
                "# or a schedule whose warmup_steps are a tenth of all steps",
                rate=whole,
            ),
            severity="error",
            planned_steps=snapshot.fit.planned_steps,
            highest_rate=within,
            better_rate=whole,
        )
    epochs, still = _epochs_of_callbacks(snapshot)
    if epochs < FEW_EPOCHS:
        return found(
            "The schedule of the callback lowers the learning rate so soon that all "
            f"{snapshot.fit.epochs} epochs together are worth {epochs:.3g} at its "
            "start.",
            "# in `fit`, instead of the LearningRateScheduler\n" + _slower(optimizer),
            severity="error",
            epochs_worth=epochs,
        )
    if still > STANDSTILL:
        return found(
            f"In {still:.0%} of the {snapshot.fit.epochs} epochs the schedule of the "
            f"callback has a learning rate below {NOTHING:.0e} of the highest: "
            "nothing moves. Does it apply its whole decay to the present rate in each "
            "epoch?",
            "# in `fit`: a schedule of the epoch alone\n" + _slower(optimizer),
            epochs_worth=epochs,
            standstill=still,
        )
    return _by_trial(snapshot) or rate_within_fit(snapshot, higher=True)


def _by_trial(snapshot: Snapshot) -> Found | None:
    trial = snapshot.trial
    if trial is None or not may_blame_rate(snapshot) or has_no_signal(snapshot):
        return None
    if any(gradient.is_cut for gradient in trial.gradients if gradient.is_kernel):
        return None  # longer steps of the other layers do not help
    if trial.rate < NO_RATE:
        return found(
            f"The learning rate is {trial.rate:.1e}: steps no longer change anything. "
            "Has a schedule ended, or has a callback lowered it?",
            at_rate(snapshot, 1e-3, trial.rate),
            learning_rate=trial.rate,
            iterations=snapshot.iterations,
        )
    gain = trial.gain(1.0)
    least = max(MORE * gain, MEASURABLE)
    faster = [f for f in trial.runs if f >= 10 and trial.gain(f) > least]
    if not faster or not gain < HARDLY:
        return None
    steps = trial.steps / gain if gain > 0 else float("inf")
    is_blind = snapshot.iterations and snapshot.least_skill < NO_SKILL
    if steps < (FAR_FOR_BLIND if is_blind else FAR) or (
        not trial.is_fresh and snapshot.iterations * gain > trial.steps
    ):
        return None
    factor = max(faster, key=trial.gain)
    change = np.median([g.update / g.weight for g in trial.gradients if g.weight])
    lower = f"lower the loss by {gain:.2%}," if gain > 0 else "do not lower the loss,"
    return found(
        f"{trial.steps} steps at the learning rate {trial.rate:.3g} {lower} and at "
        f"{trial.rate * factor:.3g} by {min(trial.gain(factor), 1):.0%}. A step "
        f"changes weights by {change:.1e} of their size.",
        at_rate(snapshot, trial.rate * factor, trial.rate),
        learning_rate=trial.rate,
        better_rate=trial.rate * factor,
        gain=gain,
        better_gain=trial.gain(factor),
        update_ratio=float(change),
    )


def _slower(optimizer):
    """Code of a callback that lowers the learning rate more slowly."""
    return (
        "callbacks = [keras.callbacks.LearningRateScheduler(\n"
        f"    lambda epoch: {rate_of(optimizer):.3g} * 0.95**epoch\n)]"
    )


def _rates_of_plan(snapshot):
    """The highest learning rate within `fit`, and of the whole schedule."""
    optimizer = getattr(snapshot.model, "optimizer", None)
    schedule = schedule_of(optimizer) if optimizer else None
    if schedule is None or snapshot.iterations or not snapshot.fit.planned_steps:
        return 1.0, 1.0
    return highest_rates(schedule, snapshot.fit.planned_steps)


def _epochs_of_callbacks(snapshot):
    """What all epochs are worth at the first rate, and the share without any rate.

    Of a `LearningRateScheduler`.
    """
    fit, optimizer = snapshot.fit, getattr(snapshot.model, "optimizer", None)
    epochs = range(fit.initial_epoch, min(fit.epochs, fit.initial_epoch + MOST_EPOCHS))
    is_planned = optimizer is None or schedule_of(optimizer) is not None
    if is_planned or snapshot.iterations or len(epochs) < FEWEST_EPOCHS:
        return np.inf, 0.0
    worth, still = np.inf, 0.0
    for callback in fit.callbacks:
        if not isinstance(callback, keras.callbacks.LearningRateScheduler):
            continue
        with untouched(snapshot.model), contextlib.redirect_stdout(io.StringIO()):
            try:
                # It may remember what it was asked.
                schedule = copy.deepcopy(callback.schedule)
                rates = rates_of_epochs(schedule, rate_of(optimizer), epochs)
            except Exception:  # which `fit` will show
                continue
        worth = min(worth, worth_of_epochs(rates))
        still = max(still, float(np.mean(np.asarray(rates) < NOTHING * max(rates))))
    return worth, still
