"""What `fit` keeps and does: compiled functions, random states, losses, weights."""

import contextlib

import keras

from keras_trainfix.keras_internals import stored_value


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


def has_lost_weights(model):
    """Whether the variables are gone, as after a `fit` that was ended on JAX."""
    if keras.backend.backend() != "jax":
        return False
    values = [stored_value(variable) for variable in model.variables]
    return any(v is None or getattr(v, "is_deleted", bool)() for v in values)
