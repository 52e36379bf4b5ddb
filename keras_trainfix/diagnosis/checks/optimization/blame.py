"""When the length of steps may be to blame."""

from keras_trainfix.diagnosis.observe.variation import inputs_vary

HARDLY = 0.02  # gain
UNTRAINED = 0.3  # skill below which a trained model has not learned


def has_no_signal(view):
    """Whether nothing in the inputs tells of the targets of some output."""
    signals = [other.signal for other in view.snapshot.views()]
    return any(seen is not None and seen.is_absent for seen in signals)


def may_blame_rate(view):
    """Whether a model has to learn yet: what is trained gets worse by most steps."""
    if not inputs_vary(view.snapshot):
        return False
    if view.trial.is_fresh:
        return True
    return view.snapshot.least_skill < UNTRAINED
