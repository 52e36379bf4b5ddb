"""When the trial allows a verdict on the learning rate."""

from typing import Any

from keras_trainfix.diagnosis.observe.variation import inputs_vary

HARDLY = 0.02  # gain
AS_BEFORE = 4  # times the loss that the steps so far would have taken away
UNTRAINED = 0.3  # skill below which a trained model has not learned


def has_no_signal(snapshot: Any) -> bool:
    """Whether the inputs carry no information about the targets of some output."""
    learnabilities = [view.learnability for view in snapshot.views()]
    return any(seen is not None and seen.is_absent for seen in learnabilities)


def may_blame_rate(snapshot: Any) -> bool:
    """Whether the model still has to learn: most steps make a trained model worse."""
    if not inputs_vary(snapshot):
        return False
    return snapshot.trial.is_fresh or snapshot.least_skill < UNTRAINED


def goes_on(snapshot: Any) -> bool:
    """Whether steps from the trained weights lower the loss, as earlier ones may have.

    If this pace would have ended the training long ago, they are no continuation of it:
    then `fit` got something else than these samples.
    """
    trial = snapshot.trial
    if trial is None or trial.is_fresh or not trial.gain(1.0) > 0:
        return False
    return trial.gain(1.0) * snapshot.iterations <= AS_BEFORE * trial.steps
