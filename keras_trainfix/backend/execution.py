"""How a function is run: compiled, over replicas, over processes; and summaries."""

import keras

from keras_trainfix.backend.tensors import is_concrete

MANY_LAYERS = 50  # which JAX compiles in less time than it calls each


def compiled(function, size):
    """`function` of tensors of `size` numbers, compiled by XLA where that pays off.

    JAX compiles each operation anyway, and TensorFlow takes seconds for large tensors.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.jit(function)
    if backend == "tensorflow" and size >= 2**19:
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False)
    return function


def is_faster_in_one_piece(layers):
    """Whether a model of so many layers is called once in less time if compiled."""
    return keras.backend.backend() == "jax" and layers > MANY_LAYERS


def call_in_one_piece(function, variables, x):
    """`function(x)` compiled by JAX as a whole; it changes none of the variables.

    Operation by operation, as JAX would do it, a large model takes several times as
    long to compile.
    """
    import jax

    def pure(values, x):
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return function(x)

    return jax.jit(pure)([variable.value for variable in variables], x)


def sum_over_replicas(tensor):
    """The sum of `tensor` over the replicas of `tf.distribute`; else as it is."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        if context is not None and context.num_replicas_in_sync > 1:
            return context.all_reduce("sum", tensor)
    return tensor


def sum_over_processes(tensor):
    """The sum of `tensor` over the processes of `torch.distributed`; else as it is."""
    if keras.backend.backend() == "torch" and is_concrete(tensor):
        import torch.distributed as distributed

        if distributed.is_available() and distributed.is_initialized():
            tensor = tensor.detach().clone()
            distributed.all_reduce(tensor)
    return tensor


def write_summary(writer, tag, image, step):
    """Writes an image `(H, W, 3)` with a writer of `tf.summary`, on any backend."""
    import tensorflow as tf

    # As `tf.summary.image` does, which needs TensorBoard to be installed.
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "images"
    height, width = image.shape[:2]
    content = [str(width), str(height), tf.io.encode_png(image)]
    with writer.as_default(step):
        tf.summary.write(tag, tf.stack(content), metadata=metadata)
    writer.flush()
