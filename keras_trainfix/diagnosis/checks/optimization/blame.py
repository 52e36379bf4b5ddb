"""When the length of steps may be to blame."""

from keras_trainfix.diagnosis.observe.variation import inputs_vary

HARDLY = 0.02  # gain
UNTRAINED = 0.3  # skill below which a trained model has not learned


def has_no_signal(snapshot):
    """Whether nothing in the inputs tells of the targets of some output."""
    learnabilities = [other.learnability for other in snapshot.views()]
    return any(seen is not None and seen.is_absent for seen in learnabilities)


def may_blame_rate(snapshot):
    """Whether a model has to learn yet: what is trained gets worse by most steps."""
    if not inputs_vary(snapshot):
        return False
    if snapshot.trial.is_fresh:
        return True
    return snapshot.least_skill < UNTRAINED
