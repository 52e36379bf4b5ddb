"""Optimizers: the learning rate, copies, and what they have learned."""

from keras_trainfix.backend import to_numpy


def rate_of(optimizer):
    """The present learning rate."""
    return float(to_numpy(optimizer.learning_rate))


def state_of(optimizer):
    """The variables without the learning rate, which is none where it is a schedule."""
    return [v for v in optimizer.variables if v.path.split("/")[-1] != "learning_rate"]


def copy_of(optimizer, variables, with_state):
    """A copy of an optimizer, with the present learning rate.

    Args:
        optimizer: `keras.Optimizer`.
        variables: List of the variables that it is for.
        with_state: Whether it goes on from where the optimizer is; else it is what
            that was before its first step.

    Returns:
        `keras.Optimizer`.
    """
    config = optimizer.get_config()
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        copy = type(optimizer)(copy_of(inner, variables, with_state))
    else:
        copy = type(optimizer).from_config({**config, "learning_rate": 0.5})
        copy.learning_rate = rate_of(optimizer)
    copy.build(variables)
    old, new = state_of(optimizer), state_of(copy)
    if with_state and len(old) == len(new):
        for variable, value in zip(new, old, strict=True):
            if variable.shape == value.shape:
                variable.assign(to_numpy(value))
    return copy
