"""Checks of the length and the number of steps, which need a trial."""

import numpy as np

from keras_trainfix.diagnosis.registry import check, found
from keras_trainfix.diagnosis.trial import is_constant_after
from keras_trainfix.diagnosis.variation import inputs_vary
from keras_trainfix.models.optimizers import rate_of, steps_of_schedule

DIVERGED = -0.5  # gain: the loss has grown by half
JUMP = 10  # times the first loss, in between
LEARNS = 0.2  # gain of a few steps that shows that a rate works
DIED, ALIVE = 0.7, 0.5  # share of dead units in the worst layer
HARM = 0.1  # of the first loss, by which the steps of another rate were better
HARDLY = 0.02  # gain
FEW = 16  # steps, which are not enough whatever the rate
NO_RATE = 1e-12
MORE = 5  # times the gain that a rate ten times as large has to have
MEASURABLE = 1e-3  # gain that is no rounding
FAR = 10_000  # steps in which a loss would fall to 0
NO_SKILL, FAR_FOR_BLIND = 0.05, 3000  # of a model that has been trained in vain
UNTRAINED = 0.3  # skill below which a trained model has not learned
SOON = 0.003  # gain that shows that training goes on


@check("KTF401", "learning-rate-too-high", severity="error", per_output=False)
def learning_rate_too_high(probe):
    """Steps at the learning rate do harm, and steps at a smaller one do not.

    ## What you see
    The loss jumps, grows or becomes NaN within the first steps; or it falls to that of
    the best constant and stays there, because the ReLU units have died.

    ## Why it happens
    A step is the slope times the learning rate. Where it is longer than the valley is
    wide it ends higher up than it began, or far out where units are dead or saturated
    and there is no slope to come back on.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(1.0), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = 3 * x[:, :1]
    ```

    ## Fix
    Divide the learning rate by 10 until the first steps lower the loss. Clipped
    gradients or a warm-up help where only the first steps are too long.

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(0.01), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = 3 * x[:, :1]
    ```

    ## When this is not the cause
    Inputs or targets on a large scale make any rate too high: scale them first. If no
    smaller rate helps either, it is not the rate.

    ## References
    [Bengio, 2012](https://arxiv.org/abs/1206.5533)
    """
    trial = probe.trial
    if trial is None or 1.0 not in trial.arms or not _may_blame_rate(probe):
        return None
    gain, dead = trial.gain(1.0), trial.arms[1.0].dead
    factor = trial.best_lower()
    if factor is None or not np.isfinite(trial.start):
        return None
    better = trial.arms[factor]
    # The end alone is luck: one unit that has survived may find its way.
    harm = _mean_difference(trial.arms[1.0], better) / (abs(trial.start) or 1.0)
    is_blinded = is_constant_after(probe, trial.arms[1.0])
    blinds = is_blinded and not is_constant_after(probe, better)
    is_spared = blinds or (better.dead < ALIVE and harm > HARM)
    blinds &= gain < HARDLY and trial.gain(factor) > HARM
    dies = dead >= DIED and is_spared
    diverges = gain < DIVERGED
    learns = trial.gain(factor) > LEARNS
    losses = trial.arms[1.0].losses
    highest = np.max(losses, initial=0.0, where=np.isfinite(losses))
    jumps = highest > JUMP * abs(trial.start) and trial.gain(factor) > gain + LEARNS
    if not (diverges or dies or jumps or blinds or (gain < 0 and learns)):
        return None
    ends = dies and (is_blinded or probe.look.dead_share >= DIED)
    what = f"the loss goes from {trial.start:.4g} to {trial.arms[1.0].end:.4g}"
    if dies:
        what += f", and {dead:.0%} of the ReLU units of a layer die"
    elif blinds:
        what += ", and the answers become the same for all samples"
    return found(
        f"In {len(trial.arms[1.0].losses)} steps at the learning rate "
        f"{trial.rate:.3g} {what}; at {trial.rate * factor:.3g} it ends at "
        f"{better.end:.4g}.",
        f"model.optimizer.learning_rate = {trial.rate * factor:.3g}  # was "
        f"{trial.rate:.3g}; from new weights",
        severity="error" if diverges or ends else "warning",
        learning_rate=trial.rate,
        better_rate=trial.rate * factor,
        start=trial.start,
        end=trial.arms[1.0].end,
        better_end=better.end,
        dead_share=dead,
        died=probe.look.died[0],
    )


@check("KTF402", "learning-rate-too-low", severity="warning", per_output=False)
def learning_rate_too_low(probe):
    """Steps at the learning rate hardly change the loss, and longer ones lower it.

    ## What you see
    The loss falls in the fourth digit from epoch to epoch. Predictions stay what the
    initial weights give, or are in the right order and far too small.

    ## Why it happens
    The learning rate was copied from a fine-tuning recipe, or lowered while something
    else was wrong; or a schedule has ended at 0. SGD needs rates a hundred times those
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
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(1e-2), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = 3 * x[:, :1]
    ```

    ## When this is not the cause
    A model that is nearly trained has little to gain from any rate. Where longer steps
    do not lower the loss either, look for a signal that vanishes, or for dead units.

    ## References
    [Bengio, 2012](https://arxiv.org/abs/1206.5533)
    """
    optimizer = getattr(probe.model, "optimizer", None)
    steps = steps_of_schedule(optimizer) if optimizer and not probe.iterations else FEW
    if steps < FEW:
        return found(
            f"The schedule lowers the learning rate so soon that all steps together "
            f"are worth {steps:.2g} at its beginning. Schedules count steps, and not "
            "epochs.",
            "schedule = keras.optimizers.schedules.ExponentialDecay(\n"
            "    1e-3, decay_steps=10 * len(x) // batch_size, decay_rate=0.5\n)",
            severity="error",
            steps_worth=steps,
            better_rate=rate_of(optimizer),  # kept
        )
    trial = probe.trial
    if trial is None or not _may_blame_rate(probe) or _has_no_signal(probe):
        return None
    if any(gradient.is_cut for gradient in trial.gradients if gradient.is_kernel):
        return None  # longer steps of the others are no way out
    if trial.rate < NO_RATE:
        return found(
            f"The learning rate is {trial.rate:.1e}: a step changes nothing any more. "
            "Has a schedule ended, or a callback lowered it?",
            "model.optimizer.learning_rate = 1e-3  # or a schedule that takes longer",
            learning_rate=trial.rate,
            iterations=probe.iterations,
        )
    gain = trial.gain(1.0)
    least = max(MORE * gain, MEASURABLE)
    faster = [f for f in trial.arms if f >= 10 and trial.gain(f) > least]
    if not faster or not gain < HARDLY:
        return None
    steps = trial.steps / gain if gain > 0 else float("inf")
    is_blind = probe.iterations and probe.look.least_skill < NO_SKILL
    if steps < (FAR_FOR_BLIND if is_blind else FAR) or (
        not trial.is_fresh and probe.iterations * gain > trial.steps
    ):
        return None
    factor = max(faster, key=trial.gain)
    change = np.median([g.update / g.weight for g in trial.gradients if g.weight])
    return found(
        f"{trial.steps} steps at the learning rate {trial.rate:.3g} take {gain:.2%} of "
        f"the loss away, and at {trial.rate * factor:.3g} {trial.gain(factor):.0%}. A "
        f"step changes weights by {change:.1e} of their size.",
        f"model.optimizer.learning_rate = {trial.rate * factor:.3g}  # was "
        f"{trial.rate:.3g}",
        learning_rate=trial.rate,
        better_rate=trial.rate * factor,
        gain=gain,
        better_gain=trial.gain(factor),
        update_ratio=float(change),
    )


@check("KTF410", "too-few-steps", severity="note", per_output=False)
def too_few_steps(probe):
    """The model has not learned yet, and goes on learning where it is let.

    ## What you see
    Training ends after a few epochs with a poor score, while the loss of every epoch
    is below that of the one before.

    ## Why it happens
    An epoch of a small data set is a few steps: 300 rows in batches of 128 are three.
    Steps count, not epochs: a small net needs hundreds.

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
    More epochs, or smaller batches, until the validation loss no longer falls
    (`keras.callbacks.EarlyStopping`).

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.02), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = 3 * x[:, :1]
    model.fit(x, y, batch_size=16, epochs=30, verbose=0)
    ```

    ## When this is not the cause
    Where more steps do not lower the loss any more, more epochs do not help.

    ## References
    [EarlyStopping](https://keras.io/api/callbacks/early_stopping/)
    """
    trial = probe.trial
    if trial is None or trial.is_fresh or not probe.iterations:
        return None
    if _has_no_signal(probe):
        return None  # it learns noise by heart
    gain, skill = trial.gain(1.0), probe.look.least_skill
    if not gain > SOON or not skill < 0.5:
        return None
    steps = int(np.ceil(trial.steps / gain))
    return found(
        f"After {probe.iterations} steps the model is {skill:.0%} of the way from the "
        f"best constant to a perfect answer, and {trial.steps} more steps take "
        f"{gain:.1%} of the loss away: expect to need some {steps} more.",
        "model.fit(..., epochs=10 * epochs)  # or smaller batches: more steps an epoch",
        iterations=probe.iterations,
        gain=gain,
        skill=skill,
        steps_needed=steps,
    )


def _mean_difference(arm, other):
    """How much higher the loss of an arm is on average, as long as both go on."""
    both = min(len(arm.losses), len(other.losses))
    return float(np.mean(arm.losses[:both]) - np.mean(other.losses[:both]))


def _has_no_signal(probe):
    """Whether nothing in the inputs tells of the targets of some output."""
    signals = [other.signal for other in probe.look.probes()]
    return any(seen is not None and seen.is_absent for seen in signals)


def _may_blame_rate(probe):
    """Whether a model has to learn yet: what is trained gets worse by most steps."""
    if not inputs_vary(probe.look):
        return False
    if probe.trial.is_fresh:
        return True
    return probe.look.least_skill < UNTRAINED
