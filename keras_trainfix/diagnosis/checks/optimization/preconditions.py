"""When the trial allows a verdict on the learning rate."""

from typing import Any

from keras_trainfix.diagnosis.observe.variation import inputs_vary

HARDLY = 0.02  # gain
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
