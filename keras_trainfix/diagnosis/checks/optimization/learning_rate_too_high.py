"""KTF401: steps that are too long."""

import numpy as np

from keras_trainfix.diagnosis.change import take_better_rate
from keras_trainfix.diagnosis.checks.optimization.preconditions import (
    HARDLY,
    may_blame_rate,
)
from keras_trainfix.diagnosis.checks.optimization.rate_code import at_rate
from keras_trainfix.diagnosis.checks.optimization.rate_within_fit import (
    rate_within_fit,
)
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.trial.trial import is_constant_after

DIVERGED = -0.5  # gain: the loss has grown by half
JUMP = 10  # times the first loss, at any step
LEARNS = 0.2  # gain of a few steps that shows that a rate works
DIED, ALIVE = 0.7, 0.5  # share of dead units in the worst layer
HARM = 0.1  # of the first loss, by which the steps of another rate were better


@check(
    "KTF401",
    "learning-rate-too-high",
    "error",
    action="lower the learning rate[ to {better_rate}]",
    scope="model",
    order=2,
    explains=ONE_ANSWER,
    overrules=("KTF402", "KTF410"),  # higher, or the same for longer
    by_experiment=True,
    repair=take_better_rate,
    new_weights=True,
    rate="lower",
)
def learning_rate_too_high(snapshot: Snapshot) -> Found | None:
    """Steps at this learning rate do harm, and steps at a smaller one do not.

    ## What you see
    The loss jumps, grows or becomes NaN within the first steps. Or it falls to that of
    the best constant and stays there, because the ReLU units have died.

    ## Why it happens
    A step is the gradient times the learning rate. If it is longer than the valley is
    wide, it ends higher up than it began, or far out where units are dead or saturated
    and no gradient leads back.

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
    Divide the learning rate by 10 until the first steps lower the loss. If only the
    first steps are too long, clipped gradients or a warmup help.

    ```python
    model.optimizer.learning_rate = 0.01
    ```

    ## When this is not the cause
    Inputs or targets on a large scale make any learning rate too high: scale them
    first. If no smaller rate helps, the rate is not the cause.

    ## References
    [Bengio, 2012](https://arxiv.org/abs/1206.5533)
    """
    return _by_trial(snapshot) or rate_within_fit(snapshot, higher=False)


def _by_trial(snapshot: Snapshot) -> Found | None:
    trial = snapshot.trial
    if trial is None or 1.0 not in trial.runs or not may_blame_rate(snapshot):
        return None
    gain, dead = trial.gain(1.0), trial.runs[1.0].dead
    factor = trial.best_lower()
    if factor is None or not np.isfinite(trial.start):
        return None
    better = trial.runs[factor]
    # The final loss alone is noisy: a single surviving unit may recover.
    harm = _mean_difference(trial.runs[1.0], better) / (abs(trial.start) or 1.0)
    is_blinded = is_constant_after(snapshot, trial.runs[1.0])
    blinds = is_blinded and not is_constant_after(snapshot, better)
    is_spared = blinds or (better.dead < ALIVE and harm > HARM)
    blinds &= gain < HARDLY and trial.gain(factor) > HARM
    dies = dead >= DIED and is_spared
    diverges = gain < DIVERGED
    learns = trial.gain(factor) > LEARNS
    losses = trial.runs[1.0].losses
    highest = np.max(losses, initial=0.0, where=np.isfinite(losses))
    jumps = highest > JUMP * abs(trial.start) and trial.gain(factor) > gain + LEARNS
    if not (diverges or dies or jumps or blinds or (gain < 0 and learns)):
        return None
    ends = dies and (is_blinded or snapshot.dead_share >= DIED)
    what = f"the loss goes from {trial.start:.4g} to {trial.runs[1.0].end:.4g}"
    if dies:
        what += f", and {dead:.0%} of the ReLU units of a layer die"
    elif blinds:
        what += ", and predictions become the same for all samples"
    return found(
        f"In {len(trial.runs[1.0].losses)} steps at the learning rate "
        f"{trial.rate:.3g} {what}; at {trial.rate * factor:.3g} it ends at "
        f"{better.end:.4g}.",
        at_rate(snapshot, trial.rate * factor, trial.rate, with_new=True),
        severity="error" if diverges or ends else "warning",
        learning_rate=trial.rate,
        better_rate=trial.rate * factor,
        start=trial.start,
        end=trial.runs[1.0].end,
        better_end=better.end,
        dead_share=dead,
        died=snapshot.died[0],
    )


def _mean_difference(trial_run, other):
    """How much higher the loss of a run is on average, while both continue."""
    both = min(len(trial_run.losses), len(other.losses))
    return float(np.mean(trial_run.losses[:both]) - np.mean(other.losses[:both]))
