"""Gradients: written out, switched off, of any function, of a training step."""

import contextlib
import functools

import keras

from keras_trainfix.backend.tensors import to_numpy


@contextlib.contextmanager
def no_gradient():
    """Runs eager code without recording it for a gradient (only torch records)."""
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.no_grad():
        yield


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
