"""The one module that may know which backend runs."""

import contextlib
import functools
import importlib.util
import os

MINIMUM_KERAS = (3, 6)
BACKENDS = ("tensorflow", "jax", "torch")
MANY_LAYERS = 50  # which JAX compiles in less time than it calls each


def require_keras():
    """Raises one clear ImportError unless Keras 3 and a backend can be imported."""
    minimum = ".".join(map(str, MINIMUM_KERAS))
    try:
        import keras
    except ImportError as error:
        if error.name == "keras" or importlib.util.find_spec("keras") is None:
            raise ImportError(
                f"keras_trainfix needs Keras {minimum} or later, and Keras is not "
                "installed. Run `pip install keras`."
            ) from error
        asked = os.environ.get("KERAS_BACKEND", "not set")
        found = [name for name in BACKENDS if importlib.util.find_spec(name)]
        way_out = (
            f"Set KERAS_BACKEND to one that is installed: {', '.join(found)}."
            if found
            else "Install one: `pip install tensorflow`, `pip install jax` or "
            "`pip install torch`, and set KERAS_BACKEND to its name."
        )
        raise ImportError(
            "keras_trainfix needs the backend that Keras is set to use, and it could "
            f"not be imported ({error}). Received: KERAS_BACKEND={asked}. {way_out}"
        ) from error
    version = tuple(int(part) for part in keras.__version__.split(".")[:2])
    if version < MINIMUM_KERAS:
        raise ImportError(
            f"keras_trainfix needs Keras {minimum} or later. Received: "
            f"keras=={keras.__version__}. Run `pip install --upgrade keras`; "
            "code written for Keras 2 (`tf.keras`) has to move to Keras 3 first."
        )


require_keras()

import keras  # noqa: E402 - nothing of Keras may be imported before the check


@contextlib.contextmanager
def no_gradient():
    """Runs eager code without recording it for a gradient (only torch records)."""
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.no_grad():
        yield


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


def to_numpy(tensor):
    """A NumPy copy of a tensor or variable, with its dtype."""
    # A variable on its own makes NumPy 2 warn about Keras' `__array__`.
    return keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(tensor))


def keras_mask(tensor):
    """The mask that Keras attached to the output of a layer, or None."""
    # No public name: where the mask is kept differs between backends.
    from keras.src.backend.common.masking import get_keras_mask

    return get_keras_mask(tensor)


def is_concrete(tensor):
    """Whether the values of `tensor` can be read now: not while a graph is traced."""
    if isinstance(tensor, keras.KerasTensor):
        return False
    if isinstance(tensor, keras.Variable):
        tensor = tensor.value
    if not keras.ops.is_tensor(tensor):
        return True
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.executing_eagerly() and not tf.is_symbolic_tensor(tensor)
    if backend == "jax":
        import jax

        if isinstance(tensor, jax.core.Tracer):
            return False
        # An array over several hosts cannot be read from one of them.
        return getattr(tensor, "is_fully_addressable", True)
    import torch

    # Where it looks for shapes alone, Keras calls eager code on made-up numbers.
    from keras.src.backend.common.symbolic_scope import in_symbolic_scope

    is_symbolic = in_symbolic_scope() or tensor.device.type == "meta"
    return not (is_symbolic or torch.compiler.is_compiling())


def custom_gradient(forward, backward):
    """A function whose gradient with respect to its first argument is written out.

    `keras.ops.custom_gradient` allows one output only on torch, and there and on
    TensorFlow a second differentiation of it gives a wrong number; here it raises.

    Args:
        forward: Function of tensors, which returns a tuple of outputs and a tuple of
            tensors that the gradient needs.
        backward: Function of that tuple and of the gradients with respect to the
            outputs, which returns the one with respect to the first argument.

    Returns:
        Function of tensors that returns the tuple of outputs. All arguments but the
        first are constants to it.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        differentiable = jax.custom_vjp(lambda x, *constants: forward(x, *constants)[0])

        def with_number(x, *constants):
            outputs, kept = forward(x, *constants)
            return outputs, (kept, (None,) * len(constants))

        def with_none(kept, gradients):
            kept, of_constants = kept
            return backward(kept, *gradients), *of_constants

        differentiable.defvjp(with_number, with_none)
        return differentiable
    if backend == "tensorflow":
        import tensorflow as tf

        def function(x, *constants):
            @tf.custom_gradient
            def of_first(x):
                outputs, kept = forward(x, *constants)
                return outputs, lambda *gradients: once(backward(kept, *gradients))

            return of_first(x)

        @tf.custom_gradient
        def once(gradient):
            return gradient, _refuse_second_derivative

        return function
    return functools.partial(_torch_function().apply, forward, backward)


def _refuse_second_derivative(*_):
    raise NotImplementedError(
        "The losses of keras_trainfix can be differentiated once. For a second "
        "derivative use the JAX backend."
    )


@functools.cache
def _torch_function():
    import torch

    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, gradient):
            return gradient.view_as(gradient)

        backward = staticmethod(_refuse_second_derivative)

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx, forward, backward, x, *constants):
            outputs, kept = forward(x, *constants)
            ctx.save_for_backward(*kept)
            ctx.backward, ctx.constants = backward, len(constants)
            return outputs

        @staticmethod
        def backward(ctx, *gradients):
            with torch.no_grad():
                gradient = ctx.backward(ctx.saved_tensors, *gradients)
            if torch.is_grad_enabled():  # with create_graph=True
                gradient = Once.apply(gradient.requires_grad_())
            return None, None, gradient, *(None,) * ctx.constants

    return Function


def _on_cpu(tensor):
    backend = keras.backend.backend()
    if backend == "torch":
        return tensor.device.type == "cpu"
    if backend == "jax":
        import jax

        return jax.default_backend() == "cpu"
    import tensorflow as tf

    return len(tf.config.list_logical_devices()) == len(
        tf.config.list_logical_devices("CPU")
    )


def product(x, y):
    """`x @ y` in the precision of its arguments.

    On CPU that is several times faster than multiplying and adding up along a short
    axis. Accelerators round the factors of a product, by default, to 8 or 11 bits.
    """
    if _on_cpu(x):
        return x @ y  # `keras.ops.matmul` makes float32 of float64
    y = keras.ops.swapaxes(y, -1, -2)
    terms = keras.ops.expand_dims(x, -2) * keras.ops.expand_dims(y, -3)
    return keras.ops.sum(terms, axis=-1)


def as_index(ids):
    """Class ids in the dtype that the backend indexes with."""
    return ids.long() if keras.backend.backend() == "torch" else ids


def softmax(logits, ids, log=True):
    """The softmax of each row, and its entry at `ids`, in as few passes as can be.

    Args:
        logits: Float tensor with the classes on its last axis.
        ids: Integer tensor of the shape of `logits` without it.
        log: Whether to return the logarithm of the entry.

    Returns:
        `(at_ids, parts, share)`, where the probabilities are `parts * share`. `parts`
        are finite; of logits that are NaN the other two are NaN.
    """
    ops = keras.ops
    if keras.backend.backend() == "torch":
        return _torch_softmax(logits, ids, log)
    highest = ops.max(logits, axis=-1, keepdims=True)
    parts = ops.exp(logits - highest)
    total = ops.squeeze(product(parts, ops.ones((parts.shape[-1], 1), parts.dtype)), -1)
    if log:
        at_ids = at_class(logits, ids) - ops.squeeze(highest, -1) - ops.log(total)
    else:
        at_ids = at_class(parts, ids) / total
    return at_ids, ops.nan_to_num(parts), 1 / total


def _torch_softmax(logits, ids, log):
    import torch

    logits = logits.contiguous()  # not so where the classes came first
    if logits.device.type == "cpu" and is_concrete(logits):
        # A maximum for each row would take longer than all the rest, and is rarely
        # needed. NaN fails the comparison.
        parts = logits.exp()
        total = parts @ parts.new_ones(parts.shape[-1])
        if torch.all((total > 1e-13) & (total < 1e13)):
            share = 1 / total
            if log:
                at_ids = (at_class(logits, ids) - total.log_()).clamp_(max=0)
            else:
                at_ids = at_class(parts, ids) * share
            return at_ids, parts, share
    parts = logits.log_softmax(-1) if log else logits.softmax(-1)
    at_ids = at_class(parts, ids)
    parts = parts.exp_() if log else parts
    share = at_ids.new_ones(()).where(~at_ids.isnan(), at_ids)
    return at_ids, parts.nan_to_num_(), share


def scaled_and_shifted(slopes, weights, offsets):
    """`weights * slopes + offsets` of each pixel and class.

    Args:
        slopes: Tensor `(N, C)`.
        weights: Tensor `(N, K, L)`.
        offsets: Tensor `(N, K, L)`.

    Returns:
        Tensor `(N, K, L, C)`.
    """
    ops = keras.ops
    if keras.backend.backend() == "torch" and _on_cpu(slopes):
        factors = ops.stack([weights, offsets], axis=-1)
        rows = ops.stack([slopes, slopes.new_ones(slopes.shape)], axis=1)
        return factors.flatten(1, 2).bmm(rows).unflatten(1, offsets.shape[1:])
    weighted = ops.expand_dims(weights, -1) * slopes[:, None, None, :]
    return weighted + ops.expand_dims(offsets, -1)


def at_class(rows, ids):
    """`rows[..., ids]`: of each row on the last axis the entry of its class.

    `keras.ops.take_along_axis` would check the bounds and, on torch, copy.
    """
    ids = keras.ops.expand_dims(ids, -1)
    if keras.backend.backend() == "torch":
        return rows.gather(-1, ids.long()).squeeze(-1)
    return keras.ops.squeeze(keras.ops.take_along_axis(rows, ids, axis=-1), -1)


def of_class(values, ids):
    """`values[n, ids[n, ...]]`: for each pixel the value of its class in its image."""
    ops = keras.ops
    shape = ops.shape(ids)
    ids = ops.reshape(ids, (shape[0], -1))
    if keras.backend.backend() == "torch":
        return values.gather(1, ids.long()).reshape(shape)
    return ops.reshape(ops.take_along_axis(values, ids, axis=1), shape)


def add_at_class(rows, ids, values):
    """Adds a value to one entry of each row; may reuse the memory of `rows`."""
    ids, values = keras.ops.expand_dims(ids, -1), keras.ops.expand_dims(values, -1)
    if keras.backend.backend() == "torch":
        return rows.scatter_add_(-1, ids.long(), values)
    here = keras.ops.arange(rows.shape[-1], dtype=ids.dtype) == ids
    return keras.ops.where(here, rows + values, rows)


def sums_by_class(values, ids, num_classes):
    """The sums, over the last axis, of the values of each class, as a new last axis."""
    ops = keras.ops
    shape, length = ops.shape(values)[:-1], ops.shape(values)[-1]
    if keras.backend.backend() == "torch":
        return values.new_zeros((*shape, num_classes)).scatter_add_(
            -1, ids.long(), values
        )
    ids = ops.reshape(ids, (-1, length))
    groups = ops.shape(ids)[0]
    ids = ids + num_classes * ops.expand_dims(ops.arange(groups, dtype="int32"), -1)
    sums = ops.segment_sum(
        ops.reshape(values, (-1,)), ops.reshape(ids, (-1,)), groups * num_classes
    )
    return ops.reshape(sums, (*shape, num_classes))


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


def slices_are_views(array):
    """Whether a slice of `array` shares its memory."""
    return keras.backend.backend() == "torch" or not keras.ops.is_tensor(array)


def arg_max(scores, axis):
    """The index of the highest score, and whether a score that high is NaN.

    A single pass: `keras.ops.argmax` makes several to tell -0.0 from 0.0. Of a row with
    some NaN, TensorFlow may see the others only.
    """
    ops = keras.ops
    backend = keras.backend.backend()
    if backend == "torch":
        values, ids = scores.max(axis)
        return ids, values.isnan()
    if backend == "tensorflow":
        import tensorflow as tf

        ids = tf.argmax(scores, axis, output_type="int32")
    else:
        import jax.numpy as jnp

        ids = jnp.argmax(scores, axis).astype("int32")
    values = ops.take_along_axis(scores, ops.expand_dims(ids, axis), axis=axis)
    return ids, ops.isnan(ops.squeeze(values, axis))


def count_ids(ids, length):
    """How often each of `0 ... length - 1` occurs in `ids`, exactly, below 2**31."""
    ops = keras.ops
    ids = ops.reshape(ids, (-1,))
    if keras.backend.backend() == "torch":
        if ids.device.type == "meta":  # which has no `bincount`
            return ids.new_zeros(length)
        return ids.bincount(minlength=length)
    return ops.segment_sum(ops.ones_like(ids, "int32"), ids, length)


def widest(dtype):
    """The widest dtype of a kind, `"int"` or `"float"`, that the backend can hold."""
    if keras.backend.backend() == "jax":
        import jax

        return f"{dtype}{64 if jax.config.read('jax_enable_x64') else 32}"
    return f"{dtype}64"


def exact_tensor(array):
    """A tensor of an int64 or float64 array, or the array where none can hold it."""
    if array.dtype.name != widest(array.dtype.name[:-2]):
        return array
    return keras.ops.convert_to_tensor(array)


def training_step(model, optimizer, graph):
    """A function that makes one training step, of one batch.

    Args:
        model: A compiled `keras.Model`. Its own optimizer is not used.
        optimizer: A `keras.Optimizer` built for its trainable variables.
        graph: Whether TensorFlow shall compile it: faster from some ten steps on.

    Returns:
        Function of `(x, y, sample_weight)` that changes the variables of the model and
        of the optimizer, and returns the loss and the gradients, None for those of
        variables that the loss does not depend on.
    """

    def loss_of(x, y, sample_weight):
        y_pred = model(x, training=True)
        return model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)

    variables = model.trainable_variables
    backend = keras.backend.backend()
    if backend == "jax":
        return _jax_step(model, optimizer, loss_of)
    if backend == "tensorflow":
        import tensorflow as tf

        def tf_step(x, y, sample_weight):
            with tf.GradientTape() as tape:
                loss = loss_of(x, y, sample_weight)
                scaled = optimizer.scale_loss(loss)
            gradients = tape.gradient(scaled, [v.value for v in variables])
            if any(gradient is not None for gradient in gradients):
                optimizer.apply(gradients, variables)
            return loss, gradients

        return tf.function(tf_step, autograph=False) if graph else tf_step
    import torch

    def step(x, y, sample_weight):
        with torch.enable_grad():
            loss = loss_of(x, y, sample_weight)
            if not loss.requires_grad:
                return loss.detach(), [None] * len(variables)
            gradients = torch.autograd.grad(
                optimizer.scale_loss(loss),
                [variable.value for variable in variables],
                allow_unused=True,
            )
        with torch.no_grad():
            optimizer.apply(gradients, variables)
        return loss.detach(), gradients

    return step


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


def gradient(function, array):
    """The gradient of a function of one tensor that returns a scalar, as an array."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return to_numpy(jax.grad(function)(array))
    tensor = keras.ops.convert_to_tensor(array)
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensor)
            value = function(tensor)
        return to_numpy(tape.gradient(value, tensor))
    import torch

    with torch.enable_grad():
        value = function(tensor.requires_grad_())
        return to_numpy(torch.autograd.grad(value, tensor)[0])


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


def has_lost_weights(model):
    """Whether the variables are gone, as after a `fit` that was ended on JAX."""
    if keras.backend.backend() != "jax":
        return False
    # No public name: reading `value` raises an error that says nothing.
    values = [variable._value for variable in model.variables]
    return any(v is None or getattr(v, "is_deleted", bool)() for v in values)


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


def _jax_step(model, optimizer, loss_of):
    import jax

    variables, others = model.trainable_variables, model.non_trainable_variables
    slots = optimizer.variables

    def compute(values, other_values, slot_values, batch):
        mapping = zip(
            [*variables, *others, *slots],
            [*values, *other_values, *slot_values],
            strict=True,
        )
        with keras.StatelessScope(
            state_mapping=list(mapping), collect_losses=True
        ) as scope:
            loss = loss_of(*batch)
            scaled = optimizer.scale_loss(loss)
        return scaled, (loss, [scope.get_current_value(other) for other in others])

    @jax.jit
    def pure(values, other_values, slot_values, batch):
        (_, (loss, other_values)), gradients = jax.value_and_grad(
            compute, has_aux=True
        )(values, other_values, slot_values, batch)
        values, slot_values = optimizer.stateless_apply(slot_values, gradients, values)
        return loss, gradients, values, other_values, slot_values

    def step(*batch):
        state = [[v.value for v in part] for part in (variables, others, slots)]
        loss, gradients, *new = pure(*state, batch)
        for part, values in zip((variables, others, slots), new, strict=True):
            for variable, value in zip(part, values, strict=True):
                variable.assign(value)
        return loss, gradients

    return step
