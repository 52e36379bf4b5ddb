"""What `fit` does on each backend: compiled steps, random states, lost weights."""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

import keras

from keras_trainfix.keras_internals import stored_value


def effect_of_trainable(
    is_made: bool, is_traced: bool, has_more: bool
) -> Literal["ignored", "raises", "counts"] | None:
    """What `fit` makes of a change of `trainable` without `compile`.

    Args:
        is_made: Boolean, whether the model already has a training step.
        is_traced: Boolean, whether that step is compiled, not eager.
        has_more: Boolean, whether a variable became trainable.

    Returns:
        `"ignored"`, `"raises"`, `"counts"` (the change takes effect), or None if there
        is no step that could be out of date.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow" and is_traced:
        return "ignored"
    if has_more or backend == "jax":
        return "raises"
    return "counts" if is_made else None


def is_traced(step: Any) -> bool:
    """Whether TensorFlow has traced a training step, or a function inside it."""
    cells = getattr(step, "__closure__", None) or ()
    parts = [step, *(cell.cell_contents for cell in cells)]
    counts = [getattr(part, "experimental_get_tracing_count", int)() for part in parts]
    return any(counts)


@contextlib.contextmanager
def same_random_state() -> Iterator[None]:
    """Restores the global generator of torch, which layers of the user may use."""
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.random.fork_rng(range(torch.cuda.device_count())):
        yield


def step_of_user(model: keras.Model, data: Any) -> None:
    """Calls the `train_step` of a model once, eagerly, and keeps what it changes.

    Args:
        model: A compiled `keras.Model`, with built optimizer, loss and metrics on JAX.
        data: What `fit` gives to the step.
    """
    if keras.backend.backend() != "jax":
        model.train_step(data)
        return
    parts = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    _, state = model.train_step(tuple([v.value for v in p] for p in parts), data)
    for part, values in zip(parts, state, strict=True):
        for variable, value in zip(part, values, strict=True):
            variable.assign(value)


@contextlib.contextmanager
def kept_by_user(model: keras.Model) -> Iterator[None]:
    """Puts back what a step of the user's own keeps outside of Keras' variables.

    That are gradients in the parameters of torch, which are empty in the beginning, and
    variables of TensorFlow that are attributes of the model.

    Args:
        model: A built `keras.Model`.
    """
    backend = keras.backend.backend()
    if backend == "torch":
        tensors = [variable.value for variable in model.trainable_variables]
        gradients = [tensor.grad for tensor in tensors]
        try:
            for tensor in tensors:
                tensor.grad = None
            yield
        finally:
            for tensor, gradient in zip(tensors, gradients, strict=True):
                tensor.grad = gradient
    elif backend == "tensorflow":
        import tensorflow as tf

        lists = [
            v if isinstance(v, (list, tuple)) else [v] for v in vars(model).values()
        ]
        kept = [v for some in lists for v in some if isinstance(v, tf.Variable)]
        values = [variable.numpy() for variable in kept]
        try:
            yield
        finally:
            for variable, value in zip(kept, values, strict=True):
                variable.assign(value)
    else:
        yield


def has_lost_weights(model: keras.Layer) -> bool:
    """Whether the weights are gone, as after an interrupted `fit` on JAX."""
    if keras.backend.backend() != "jax":
        return False
    values = [stored_value(variable) for variable in model.variables]
    return any(v is None or getattr(v, "is_deleted", bool)() for v in values)
