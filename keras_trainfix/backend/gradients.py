"""Gradients: custom, switched off, of a function, and of a training step."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import keras
import numpy as np

from keras_trainfix.backend.tensors import Tensor, to_numpy

Tensors = Sequence[Tensor]
# The loss, and the gradient of each variable.
StepResult = tuple[Tensor, list[Tensor | None]]
# Of `x, y, sample_weight`.
Step = Callable[[Any, Any, Any], StepResult]


@contextlib.contextmanager
def no_gradient() -> Iterator[None]:
    """Runs eager code without recording it for a gradient; only torch records."""
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.no_grad():
        yield


def custom_gradient(
    forward: Callable[..., tuple[Tensors, Tensors]],
    backward: Callable[..., Tensor],
) -> Callable[..., Tensors]:
    """A function with an explicit gradient with respect to its first argument.

    On torch `keras.ops.custom_gradient` allows only one output; on torch and TensorFlow
    its second derivative is a wrong number. Here a second derivative raises.

    Args:
        forward: Function of tensors that returns a tuple of outputs and a tuple of
            tensors that the gradient needs.
        backward: Function of that second tuple and of the gradients with respect to
            each output that returns the gradient with respect to the first argument.

    Returns:
        Function of tensors that returns the tuple of outputs. All arguments but the
        first are treated as constants.

    Raises:
        NotImplementedError: If the result is differentiated twice, except on JAX.

    Examples:
        >>> square = custom_gradient(
        ...     lambda x: ((x * x,), (x,)),
        ...     lambda kept, upstream: 2 * kept[0] * upstream,
        ... )
        >>> gradient(lambda x: square(x)[0], np.array(3.0, "float32")).item()
        6.0
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        differentiable = jax.custom_vjp(lambda x, *constants: forward(x, *constants)[0])

        def forward_rule(x: Tensor, *constants: Tensor) -> tuple[Tensors, Any]:
            outputs, kept = forward(x, *constants)
            return outputs, (kept, (None,) * len(constants))

        def backward_rule(kept: Any, gradients: Tensors) -> tuple[Tensor | None, ...]:
            kept, of_constants = kept
            return backward(kept, *gradients), *of_constants

        differentiable.defvjp(forward_rule, backward_rule)
        return differentiable
    if backend == "tensorflow":
        import tensorflow as tf

        def function(x: Tensor, *constants: Tensor) -> Tensors:
            @tf.custom_gradient
            def of_first(x: Tensor) -> tuple[Tensors, Callable[..., Tensor]]:
                outputs, kept = forward(x, *constants)
                return outputs, lambda *gradients: once(backward(kept, *gradients))

            return of_first(x)

        @tf.custom_gradient
        def once(gradient: Tensor) -> tuple[Tensor, Callable[..., NoReturn]]:
            return gradient, _refuse_second_derivative

        return function
    import torch

    def torch_function(x: Tensor, *constants: Tensor) -> Tensors:
        # An empty tensor that depends on `x`, and does not keep its memory.
        anchor = torch.atleast_1d(x)[:0].clone()
        return _torch_function().apply(forward, backward, x, anchor, *constants)

    return torch_function


def _refuse_second_derivative(*_: Any) -> NoReturn:
    raise NotImplementedError(
        "The losses of keras_trainfix can be differentiated once. For a second "
        "derivative use the JAX backend."
    )


@functools.cache
def _torch_function() -> Any:
    import torch

    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, gradient: Tensor, anchor: Tensor) -> Tensor:
            return gradient.view_as(gradient)

        backward = staticmethod(_refuse_second_derivative)

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(
            ctx: Any,
            forward: Callable[..., tuple[Tensors, Tensors]],
            backward: Callable[..., Tensor],
            x: Tensor,
            anchor: Tensor,
            *constants: Tensor,
        ) -> Tensors:
            outputs, kept = forward(x, *constants)
            ctx.save_for_backward(anchor, *kept)
            ctx.backward, ctx.constants = backward, len(constants)
            return outputs

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
            anchor, *kept = ctx.saved_tensors
            with torch.no_grad():
                gradient = ctx.backward(kept, *gradients)
            if torch.is_grad_enabled():  # with create_graph=True
                gradient = Once.apply(gradient, anchor)
            return None, None, gradient, None, *(None,) * ctx.constants

    return Function


def gradient(function: Callable[[Tensor], Tensor], array: np.ndarray) -> np.ndarray:
    """The gradient of a function at a point.

    Args:
        function: Function of one tensor that returns a scalar tensor.
        array: Float array, the point.

    Returns:
        Array of the same shape.

    Examples:
        >>> gradient(lambda x: x * x, np.array(3.0, "float32")).item()
        6.0
    """
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


def have_gradients(
    function: Callable[[], Tensor],
    variables: Sequence[keras.Variable],
    others: Sequence[keras.Variable] = (),
) -> list[bool]:
    """For each variable, whether a function has a gradient for it, be it 0.

    JAX gives 0 where there is none. There the program of the gradient tells: a 0 that
    is computed from nothing is no gradient.

    Args:
        function: As for `value_and_gradients`, and so are the others.
        variables: List of `keras.Variable`.
        others: List of `keras.Variable`.

    Returns:
        List of booleans.

    Examples:
        >>> one, two = keras.Variable(0.0), keras.Variable(0.0)
        >>> have_gradients(lambda: one**2, [one, two])
        [True, False]
    """
    _, slopes = value_and_gradients(function, variables, others)
    if keras.backend.backend() != "jax":
        return [slope is not None for slope in slopes]
    import jax

    slope_of = jax.grad(_stateless(function, variables, others))
    program = jax.make_jaxpr(slope_of)([v.value for v in variables]).jaxpr
    known = {id(v) for v in (*program.invars, *program.constvars)}
    for step in program.eqns:
        if any(id(v) in known for v in step.invars):
            known |= {id(v) for v in step.outvars}
    pairs = zip(program.outvars, slopes, strict=True)
    return [id(v) in known or bool(np.any(slope)) for v, slope in pairs]


def _stateless(
    function: Callable[[], Tensor],
    variables: Sequence[keras.Variable],
    others: Sequence[keras.Variable],
) -> Callable[[Tensors], Tensor]:
    """A function of the values of variables, for JAX."""

    def pure(values: Tensors) -> Tensor:
        pairs = [
            *zip(variables, values, strict=True),
            *((v, v.value) for v in others),
        ]
        with keras.StatelessScope(state_mapping=pairs, collect_losses=True):
            return function()

    return pure


def value_and_gradients(
    function: Callable[[], Tensor],
    variables: Sequence[keras.Variable],
    others: Sequence[keras.Variable] = (),
) -> tuple[np.ndarray, list[np.ndarray | None]]:
    """The value of a function, and its gradient with respect to some variables.

    It runs eagerly, operation by operation.

    Args:
        function: Function without arguments that returns a scalar tensor.
        variables: List of `keras.Variable`.
        others: List of further `keras.Variable` that the function reads; needed on
            JAX, where what it does to any of them is lost.

    Returns:
        `(value, gradients)`: an array without axes; and for each variable an array of
        its shape, or None if the function does not depend on it.

    Examples:
        >>> variable = keras.Variable(3.0)
        >>> value, (slope,) = value_and_gradients(lambda: variable**2, [variable])
        >>> value.item(), slope.item()
        (9.0, 6.0)
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        pure = _stateless(function, variables, others)
        value, slopes = jax.value_and_grad(pure)([v.value for v in variables])
        return to_numpy(value), [to_numpy(slope) for slope in slopes]
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = function()
        slopes = tape.gradient(value, [v.value for v in variables])
        slopes = [s if s is None else tf.convert_to_tensor(s) for s in slopes]
    else:
        import torch

        slopes = [None] * len(variables)
        with torch.enable_grad():
            value = function()
            if value.requires_grad:
                slopes = torch.autograd.grad(
                    value, [v.value for v in variables], allow_unused=True
                )
        value = value.detach()
    return to_numpy(value), [None if s is None else to_numpy(s) for s in slopes]


def training_step(
    model: keras.Model,
    optimizer: keras.Optimizer,
    graph: bool,
    loss: Callable[..., Tensor] | None = None,
) -> Step:
    """A function that trains on one batch.

    Args:
        model: A compiled `keras.Model`. Its own optimizer is not used.
        optimizer: `keras.Optimizer`, built for the trainable variables of the model.
        graph: Boolean, whether TensorFlow compiles the step, which is faster from about
            ten steps on.
        loss: Function of `(model, x, y, y_pred, sample_weight)`; None for the compiled
            one, with its penalties.

    Returns:
        Function of `(x, y, sample_weight)` that updates the variables of the model and
        of the optimizer. It returns the loss and the list of gradients, with None for
        variables that the loss does not depend on.
    """

    def loss_of(x: Any, y: Any, sample_weight: Any) -> Tensor:
        y_pred = model(x, training=True)
        if loss is not None:
            return loss(model, x, y, y_pred, sample_weight)
        return model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)

    variables = model.trainable_variables
    backend = keras.backend.backend()
    if backend == "jax":
        return _jax_step(model, optimizer, loss_of)
    if backend == "tensorflow":
        import tensorflow as tf

        def tf_step(x: Any, y: Any, sample_weight: Any) -> StepResult:
            with tf.GradientTape() as tape:
                loss = loss_of(x, y, sample_weight)
                scaled = optimizer.scale_loss(loss)
            gradients = tape.gradient(scaled, [v.value for v in variables])
            if any(gradient is not None for gradient in gradients):
                optimizer.apply(gradients, variables)
            return loss, gradients

        return tf.function(tf_step, autograph=False) if graph else tf_step
    import torch

    def step(x: Any, y: Any, sample_weight: Any) -> StepResult:
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


def _jax_step(
    model: keras.Model, optimizer: keras.Optimizer, loss_of: Callable[..., Tensor]
) -> Step:
    import jax

    variables, others = model.trainable_variables, model.non_trainable_variables
    slots = optimizer.variables

    def compute(
        values: Tensors, other_values: Tensors, slot_values: Tensors, batch: Tensors
    ) -> tuple[Tensor, tuple[Tensor, Tensors]]:
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
    def pure(
        values: Tensors, other_values: Tensors, slot_values: Tensors, batch: Tensors
    ) -> tuple[Any, ...]:
        (_, (loss, other_values)), gradients = jax.value_and_grad(
            compute, has_aux=True
        )(values, other_values, slot_values, batch)
        values, slot_values = optimizer.stateless_apply(slot_values, gradients, values)
        return loss, gradients, values, other_values, slot_values

    def step(x: Any, y: Any, sample_weight: Any) -> StepResult:
        state = [[v.value for v in part] for part in (variables, others, slots)]
        loss, gradients, *new = pure(*state, (x, y, sample_weight))
        for part, values in zip((variables, others, slots), new, strict=True):
            for variable, value in zip(part, values, strict=True):
                variable.assign(value)
        return loss, gradients

    return step
