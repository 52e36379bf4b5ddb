"""Every private name of Keras that the package uses, one function each.

A release of Keras that renames one of them needs a change here and nowhere else.
"""

import contextlib
import inspect
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, NamedTuple

import keras

# --- layers and graphs ---


def child_layers(layer: keras.Layer) -> list[keras.Layer]:
    """The layers that `layer` tracks itself, without those nested deeper.

    `keras.Model.layers` exists on models only, and does not list what wrappers, cells
    and custom layers contain.
    """
    return list(layer._layers)


def graph_nodes(model: keras.Layer) -> list[Any]:
    """The calls in the graph of a functional model; empty for any other layer.

    Each has an `operation` and `arguments`. Keras has no public name for the arguments
    of a recorded call.
    """
    by_depth = getattr(model, "_nodes_by_depth", {})
    return [node for nodes in by_depth.values() for node in nodes]


def producer(tensor: keras.KerasTensor) -> Any:
    """The operation, usually a layer, whose output a symbolic tensor is.

    `Layer.output` leads from the layer to the tensor only, and fails if the layer is
    called twice.
    """
    return tensor._keras_history.operation


def lambda_output_shape(layer: keras.layers.Lambda) -> Any:
    """The `output_shape` that a `Lambda` was created with.

    `get_config` turns a function into its byte code.
    """
    return layer._output_shape


class AddedLosses(NamedTuple):
    """What `add_loss` collected in the last call of one layer."""

    losses: list[Any]
    ids: set[int]


def added_losses(layer: keras.Layer) -> AddedLosses:
    """The losses that the last call of `layer` added by `add_loss`.

    `Layer.losses` also includes those of nested layers and the weight penalties.
    """
    return AddedLosses(list(layer._losses), set(layer._loss_ids))


def losses_in_call(layer: keras.Layer) -> list[Any]:
    """The losses that `layer` itself added in the call that is going on, or the last.

    In the stateless calls of JAX they are not in the layer but in the scope.
    """
    return list(layer._get_own_losses())


def restore_added_losses(layer: keras.Layer, before: AddedLosses) -> None:
    """Puts back what `added_losses` returned.

    `Layer.losses` cannot be set, and each call of a layer replaces what it added.
    """
    layer._losses[:] = before.losses
    layer._loss_ids.clear()
    layer._loss_ids.update(before.ids)


# --- compiled models ---


def compile_arguments(model: keras.Model) -> dict[str, Any]:
    """The arguments that `compile` was called with; empty before that.

    `get_compile_config` serializes them, which fails for functions of the user.
    """
    config = getattr(model, "_compile_config", None)
    return {} if config is None else dict(config.config)


def direction_of(metric: Any) -> str | None:
    """`"max"` if a metric says that higher is better, `"min"` for lower, or None.

    Callbacks of Keras with `mode="auto"` ask the same.
    """
    return {"up": "max", "down": "min"}.get(str(getattr(metric, "_direction", "")))


def compilation(model: keras.Model) -> Any:
    """An object that stays the same until the next call of `compile`; None before.

    The optimizer and the loss may be the same after it.
    """
    return getattr(model, "_compile_config", None)


FIT_ARGUMENTS = frozenset(inspect.signature(keras.Model.fit).parameters) - {"self"}


def arguments_of_fit(model: keras.Model) -> dict[str, Any]:
    """The arguments of the `fit` of `model` that runs, by their names.

    Callbacks are given the number of epochs and steps alone. `x` and `y` are without
    what `validation_split` cuts off, and `validation_data` have it.

    Args:
        model: The model that `fit` belongs to.

    Returns:
        Dict of names to objects, none of them read; empty where no `fit` runs.
    """
    frame: FrameType | None = sys._getframe(1)
    try:
        while frame is not None:
            module = str(frame.f_globals.get("__name__"))
            if frame.f_code.co_name == "fit" and module.startswith("keras."):
                given = frame.f_locals
                if given.get("self") is model:
                    return {n: given[n] for n in FIT_ARGUMENTS if n in given}
            frame = frame.f_back
    except Exception:  # another Keras, or another Python
        return {}
    return {}


@contextlib.contextmanager
def own_compiled_loss(model: keras.Model) -> Iterator[None]:
    """Lends `model` a copy of its compiled loss, which builds itself when called.

    A call of the model's own loss would build it. The next `fit` would then skip the
    symbolic call that builds it, which draws random numbers, and train differently.
    With several outputs the loss would also count the values in its metrics. `compile`
    makes a new loss, but new metrics as well.
    """
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


def own_compiled_metrics(model: keras.Model) -> Any:
    """New metrics like the compiled ones of `model`; None where they cannot be copied.

    A call of the model's own metrics would build them and change what they count.
    """
    metrics = getattr(model, "_compile_metrics", None)
    if metrics is None:
        return None

    def copied(metric):
        if not isinstance(metric, keras.Metric):
            return metric
        return type(metric).from_config(metric.get_config())

    try:
        mine, weighted = keras.tree.map_structure(
            copied, [metrics._user_metrics, metrics._user_weighted_metrics]
        )
    except Exception:  # a metric of the user without a configuration
        return None
    return type(metrics)(mine, weighted, output_names=metrics.output_names)


def added_metrics(model: keras.Model) -> list[keras.Metric]:
    """The metrics that a model has as attributes: a list, which may be changed.

    The tracking of an attribute does not end when the attribute is deleted.
    """
    return model._metrics


@contextlib.contextmanager
def lent(model: keras.Model, **attributes: Any) -> Iterator[None]:
    """Lends `model` other attributes, past the tracking of Keras.

    An assignment would have Keras track what is assigned, and keep it.
    """
    before = {name: model.__dict__.get(name) for name in attributes}
    model.__dict__.update(attributes)
    try:
        yield
    finally:
        model.__dict__.update(before)


@contextlib.contextmanager
def unbuilt_metrics_lent(model: keras.Model) -> Iterator[None]:
    """Lends `model` a copy of its compiled metrics, if these have no variables yet.

    The next `fit` builds them, as it does the loss: see `own_compiled_loss`.

    Raises:
        ValueError: If a metric cannot be copied.
    """
    metrics = getattr(model, "_compile_metrics", None)
    if metrics is None or metrics.built:
        yield
        return
    copy = own_compiled_metrics(model)
    if copy is None:
        raise ValueError("a metric of the model cannot be copied")
    with lent(model, _compile_metrics=copy):
        yield


def build_as_fit(model: keras.Model, data: Any) -> None:
    """Builds loss, metrics and optimizer of `model` for a batch, as `fit` does.

    On JAX a training step needs all variables beforehand.
    """
    model._symbolic_build(data_batch=data)


def loss_settings(loss: Any) -> dict[str, Any]:
    """The keyword arguments that a loss of Keras passes to its function.

    Empty for a loss that wraps no function. `get_config` cannot serialize functions of
    the user.
    """
    return dict(getattr(loss, "_fn_kwargs", {}))


# --- optimizers and variables ---


def rate_or_schedule(optimizer: keras.Optimizer) -> Any:
    """The learning rate of an optimizer as set: a variable or a schedule.

    `learning_rate` is the value of the schedule at the present step.
    """
    return getattr(optimizer, "_learning_rate", None)


def optimizer_config(optimizer: keras.Optimizer) -> dict[str, Any]:
    """The configuration of an optimizer, without its learning rate.

    `get_config` also serializes the schedule, and a user's may have no `get_config`.
    """
    rate = optimizer.__dict__.get("_learning_rate")
    optimizer.__dict__["_learning_rate"] = keras.ops.convert_to_tensor(0.0)
    try:
        config = optimizer.get_config()
    finally:
        optimizer.__dict__["_learning_rate"] = rate
    config.pop("learning_rate", None)
    return config


def optimized_variables(optimizer: keras.Optimizer) -> list[keras.Variable]:
    """The variables that an optimizer was built for; empty before that.

    `variables` has the optimizer's own only.
    """
    return list(getattr(optimizer, "_trainable_variables", None) or [])


def stored_value(variable: keras.Variable) -> Any:
    """The tensor of a variable, or None if it has none.

    Reading `value` of one without raises, with a message that does not name the cause.
    """
    return variable._value


def global_seeds() -> list[keras.Variable]:
    """The state of the generator that `keras.random` uses without a seed.

    Empty before its first use. `keras.utils.set_random_seed` can only reset it.
    """
    from keras.src.backend.common import global_state

    generator = global_state.get_global_attribute("global_seed_generator")
    return [] if generator is None else [generator.state]


# --- tensors, scopes and files ---


def keras_mask(tensor: Any) -> Any:
    """The mask that Keras attached to the output of a layer, or None.

    `Layer.compute_mask` would compute it again, and from the inputs.
    """
    from keras.src.backend.common.masking import get_keras_mask

    return get_keras_mask(tensor)


def is_symbolic_scope() -> bool:
    """Whether Keras is only inferring shapes.

    On torch it may do so with eager tensors, which look like any other.
    """
    from keras.src.backend.common.symbolic_scope import in_symbolic_scope

    return bool(in_symbolic_scope())


def is_weights_io(module: str | None) -> bool:
    """Whether the module of this name is the one that reads and writes weights files.

    Keras has no hook for the name of a layer inside such a file.
    """
    return module == "keras.src.saving.saving_lib"
