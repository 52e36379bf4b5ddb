"""What `fit` keeps and does: compiled functions, random states, losses, weights."""

import contextlib

import keras


def effect_of_trainable(is_made, is_traced, has_more):
    """What `fit` does after `trainable` changed without `compile`.

    Args:
        is_made: Whether the model has a training step from before.
        is_traced: Whether this is compiled, and not eager.
        has_more: Whether a variable is trainable that was not.

    Returns:
        `"ignored"`, `"raises"`, `"counts"`, or None where all is well.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow" and is_traced:
        return "ignored"
    if has_more or backend == "jax":
        return "raises"
    return "counts" if is_made else None


def is_traced(step):
    """Whether TensorFlow has traced `step`, the training step of a model, or a part."""
    cells = getattr(step, "__closure__", None) or ()
    parts = [step, *(cell.cell_contents for cell in cells)]
    counts = [getattr(part, "experimental_get_tracing_count", int)() for part in parts]
    return any(counts)


@contextlib.contextmanager
def same_random_state():
    """Puts the generator of torch, which layers of a user may draw from, back."""
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.random.fork_rng(range(torch.cuda.device_count())):
        yield


def global_seeds():
    """The states of the seed generators that belong to no layer."""
    # No public name: `keras.random` functions without a seed draw from it.
    from keras.src.backend.common import global_state

    generator = global_state.get_global_attribute("global_seed_generator")
    return [] if generator is None else [generator.state]


@contextlib.contextmanager
def own_compiled_loss(model):
    """Lends a model a copy of its compiled loss, which builds itself on its first call.

    Where it is built already `fit` leaves out a step that draws random numbers, and
    with several outputs it counts what it sees as metrics.
    """
    # No public name: `compile` makes it, `compute_loss` calls it.
    loss = getattr(model, "_compile_loss", None)
    if loss is None:
        yield
        return
    model.__dict__["_compile_loss"] = type(loss)(
        loss._user_loss, loss._user_loss_weights, output_names=loss.output_names
    )
    try:
        yield
    finally:
        model.__dict__["_compile_loss"] = loss


def has_lost_weights(model):
    """Whether the variables are gone, as after a `fit` that was ended on JAX."""
    if keras.backend.backend() != "jax":
        return False
    # No public name: reading `value` raises an error that says nothing.
    values = [variable._value for variable in model.variables]
    return any(v is None or getattr(v, "is_deleted", bool)() for v in values)
