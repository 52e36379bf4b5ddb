"""Runs functions compiled or watched, sums over replicas, and writes summaries."""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_trainfix.backend.tensors import Tensor, is_concrete

# From this many layers on, JAX compiles a model faster than its single operations.
MANY_LAYERS = 50


def compiled(function: Callable[..., Any], size: int) -> Callable[..., Any]:
    """A function, compiled by XLA where that is faster.

    That is always so on JAX, which compiles each operation anyway, and for large
    tensors on TensorFlow, which otherwise takes seconds.

    Args:
        function: Function of tensors.
        size: Integer, the number of elements of the tensors.

    Returns:
        Function with the same arguments and results.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.jit(function)
    if backend == "tensorflow" and size >= 2**19:
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False)
    return function


def run_compiled(function: Callable[..., Any], tensors: Any, *settings: Any) -> Any:
    """`function(*tensors, *settings)`, in eager code compiled where that is faster.

    Args:
        function: Pure function of tensors and of settings that can be hashed.
        tensors: List of tensors or None.
        *settings: The further arguments of `function`.
    """
    backend = keras.backend.backend()
    known = [x for x in tensors if x is not None]
    is_eager = backend == "jax" or all(map(is_concrete, known))
    if backend == "torch" or not is_eager:
        return function(*tensors, *settings)
    # One compiled function for each shape: TensorFlow warns if one sees many.
    shapes = tuple(None if x is None else (tuple(x.shape), x.dtype) for x in tensors)
    size = max(math.prod(x.shape) for x in known)
    return _compiled(function, settings, shapes, size)(*tensors)


@functools.lru_cache(maxsize=256)
def _compiled(
    function: Callable[..., Any], settings: tuple[Any, ...], shapes: Any, size: int
) -> Callable[..., Any]:
    """A function of tensors of these shapes and dtypes."""
    return compiled(lambda *tensors: function(*tensors, *settings), size)


def is_faster_in_one_piece(layers: int) -> bool:
    """Whether a single call of a model with so many layers is faster if compiled."""
    return keras.backend.backend() == "jax" and layers > MANY_LAYERS


def compiles_each_shape() -> bool:
    """Whether an operation on another number of samples is compiled again."""
    return keras.backend.backend() == "jax"


def call_in_one_piece(
    function: Callable[[Any], Any], variables: list[keras.Variable], x: Any
) -> Any:
    """`function(x)`, compiled by JAX as a whole.

    Compiling a large model operation by operation takes several times as long.

    Args:
        function: Function of `x`. Its updates of variables are lost.
        variables: List of all `keras.Variable` that it uses.
        x: Tensor, or list or dict of tensors.

    Returns:
        What `function` returns.
    """
    import jax

    def pure(values: list[Tensor], x: Any) -> Any:
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return function(x)

    return jax.jit(pure)([variable.value for variable in variables], x)


def run_as_fit(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    eagerly: bool,
    variables: list[keras.Variable],
) -> None:
    """Runs a function of tensors once, in the way in which `fit` runs its steps.

    TensorFlow runs it as a graph. JAX only traces it, since no compiled code raises,
    and keeps no change of a variable.

    Args:
        function: What it returns is ignored.
        arguments: Tuple of tensors, of structures of them, or of None.
        eagerly: Boolean, whether the model runs eagerly.
        variables: List of the `keras.Variable` that the function reads. Without a
            value in the scope of JAX, Keras gives a regularizer None.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow" and not eagerly:
        import tensorflow as tf

        tf.function(function, autograph=False)(*arguments)
    elif backend == "jax":
        import jax

        def stateless(*arguments):
            mapping = [(variable, variable.value) for variable in variables]
            with keras.StatelessScope(state_mapping=mapping):
                function(*arguments)

        if eagerly:
            stateless(*arguments)
        else:
            jax.eval_shape(stateless, *arguments)
    else:
        function(*arguments)


def sum_over_replicas(tensor: Tensor) -> Tensor:
    """The sum of a tensor over the replicas of `tf.distribute`, if there are any."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        if context is not None and context.num_replicas_in_sync > 1:
            return context.all_reduce("sum", tensor)
    return tensor


def sum_over_processes(tensor: Tensor) -> Tensor:
    """The sum of a tensor over the processes of `torch.distributed`, if any."""
    if keras.backend.backend() == "torch" and is_concrete(tensor):
        import torch.distributed as distributed

        if distributed.is_available() and distributed.is_initialized():
            tensor = tensor.detach().clone()
            distributed.all_reduce(tensor)
    return tensor


def write_summary(writer: Any, tag: str, image: np.ndarray, step: int) -> None:
    """Writes an image as a TensorFlow summary, on any backend.

    Args:
        writer: Writer of `tf.summary.create_file_writer`.
        tag: String, the name of the image.
        image: uint8 array `(height, width, 3)`.
        step: Integer, the step that the image belongs to.
    """
    import tensorflow as tf

    # As `tf.summary.image` does, which requires TensorBoard.
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "images"
    height, width = image.shape[:2]
    content = [str(width), str(height), tf.io.encode_png(image)]
    with writer.as_default(step):
        tf.summary.write(tag, tf.stack(content), metadata=metadata)
    writer.flush()


@contextlib.contextmanager
def watched_softmax(
    keep: Callable[[tuple[int, ...], int | None], None],
) -> Iterator[None]:
    """While open, calls `keep(shape, axis)` for each softmax of the backend.

    A softmax may be anywhere in the code of a user, in no layer of its own.

    Args:
        keep: Function of the shape of the logits and of the axis.
    """
    name = keras.backend.backend()
    if name == "tensorflow":
        import tensorflow as tf

        places = [(tf.nn, "softmax")]
    elif name == "jax":
        import jax

        places = [(jax.nn, "softmax")]
    else:
        import torch

        places = [(torch.nn.functional, "softmax"), (torch, "softmax")]
    is_open = False

    def watching(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def watched(x: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal is_open
            if is_open:
                return original(x, *args, **kwargs)
            axis = kwargs.get("dim", kwargs.get("axis", args[0] if args else -1))
            if hasattr(x, "shape") and (axis is None or isinstance(axis, int)):
                keep(tuple(x.shape), axis)
            is_open = True
            try:
                return original(x, *args, **kwargs)
            finally:
                is_open = False

        return watched

    originals = [getattr(place, attribute) for place, attribute in places]
    try:
        for (place, attribute), original in zip(places, originals, strict=True):
            setattr(place, attribute, watching(original))
        yield
    finally:
        for (place, attribute), original in zip(places, originals, strict=True):
            setattr(place, attribute, original)
