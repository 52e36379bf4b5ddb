"""The code of fixes, written for the model at hand: its layers, optimizer and loss."""

import keras

from keras_trainfix.diagnosis.observe.loss import is_own
from keras_trainfix.diagnosis.snapshot import OutputView, Snapshot
from keras_trainfix.keras_internals import compile_arguments, optimizer_config
from keras_trainfix.models.optimizers import inner_of, rate_of

NEW_WEIGHTS = "model = keras.models.clone_model(model)  # new initial weights"
PLAIN_STEP = (
    "# or, until your own `train_step` is mended, with that of Keras:\n"
    "model.train_step = keras.Model.train_step.__get__(model)\n"
    "model.make_train_function(force=True)"
)
STANDARDIZED = (
    "mean, std = y.mean(0), y.std(0)\n"
    "y = (y - mean) / std  # and later: model.predict(x) * std + mean"
)


def in_own_step(model: keras.Model, advice: str) -> str:
    """What to change in an own `train_step`, and how to do without it.

    Args:
        model: The `keras.Model`; without a compiled loss it needs its own step.
        advice: String, lines of comments.
    """
    return f"{advice}\n{PLAIN_STEP}" if model.loss else advice


def recompiled(
    model: keras.Model, change: str, *, rate: float | None = None, settings: str = ""
) -> str:
    """A change of a model, and the call that compiles the model again.

    Args:
        model: The `keras.Model`, with its optimizer and loss.
        change: String, lines of code that may assign `model` again, or `""`.
        rate: Float, another learning rate. Defaults to the present one.
        settings: String, more arguments of the optimizer, such as `"clipnorm=1.0"`.

    Returns:
        String, lines of code; of an uncompiled model `change` alone.

    Examples:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(0.1), "mse")
        >>> print(recompiled(model, "model.trainable = True"))
        model.trainable = True
        model.compile(keras.optimizers.SGD(0.1), loss="mse")
    """
    lines = [change] if change else []
    if getattr(model, "optimizer", None) is None:
        return change
    loss = model.loss
    if not (loss is None or isinstance(loss, str)):
        lines.insert(0, "loss = model.loss")
        loss = "loss"
    else:
        loss = f'"{loss}"' if loss else "None"
    return "\n".join([*lines, compiled_with(model, loss, rate=rate, settings=settings)])


def compiled_with(
    model: keras.Model, loss: str, *, rate: float | None = None, settings: str = ""
) -> str:
    """The call that compiles a model with another loss.

    Args:
        model: The `keras.Model`, with its optimizer.
        loss: String, the expression of the loss.
        rate: Float, another learning rate. Defaults to the present one.
        settings: String, more arguments of the optimizer.
    """
    optimizer = getattr(model, "optimizer", None)
    name = '"adam"' if optimizer is None else _optimizer(optimizer, rate, settings)
    return f"model.compile({name}, loss={loss})"


def with_new_weights(model: keras.Model) -> str:
    """Code that gives a model new initial weights; a comment if it has no copy.

    `clone_model` also compiles the copy, which fails if a loss or metric is the user's.
    """
    is_plain = isinstance(model, keras.Sequential) or _is_functional(model)
    if not (is_plain and all(map(_has_copy, model.layers))):
        return "# build the model again, for new weights"
    given = compile_arguments(model)
    compiled = [given.get(key) for key in ("loss", "metrics", "weighted_metrics")]
    is_copied = not any(callable(x) and is_own(x) for x in keras.tree.flatten(compiled))
    return NEW_WEIGHTS if is_copied else f"model.compiled = False\n{NEW_WEIGHTS}"


def with_first_layer(snapshot: Snapshot, layer: str, *before: str) -> str:
    """Code that puts a layer before a model with one input.

    Args:
        snapshot: `Snapshot`.
        layer: String, the expression of the layer.
        *before: Lines of code that come first.

    Returns:
        String; comments where the model has several inputs.
    """
    if not has_one_input(snapshot):
        return "\n".join(f"# {line}" for line in (*before, f"{layer} before the input"))
    parts = ["keras.Input(x.shape[1:])", layer, "model"]
    listed = [f"    {part}," for part in parts]
    lines = [*before, "model = keras.Sequential([", *listed, "])"]
    return recompiled(snapshot.model, "\n".join(lines))


def has_one_input(snapshot: Snapshot) -> bool:
    """Whether `x` is a single array."""
    is_nested = isinstance(snapshot.sample.x, (dict, list, tuple))
    return len(snapshot.inputs) == 1 and not is_nested


def layer_of(model: keras.Model, name: str) -> str | None:
    """The expression of a layer; None where it is inside of another layer."""
    is_own = any(layer.name == name for layer in model.layers)
    return f'model.get_layer("{name}")' if is_own else None


def our_loss(view: OutputView, name: str, settings: str) -> str:
    """Code that compiles a model of one output with a loss of keras_trainfix.

    Args:
        view: `OutputView`.
        name: String, the class of the loss.
        settings: String, its arguments except `from_logits` and `axis`.
    """
    more = ["from_logits=True"] if view.loss.from_logits else []
    if view.class_axis < view.predictions.ndim - 1:
        more.append(f"axis={view.class_axis}")
    loss = f"kt.{name}({', '.join([settings, *more])})"
    lines = ["import keras_trainfix as kt"]
    if len(view.names) > 1:
        return "\n".join([*lines, f'loss = {loss}  # for the output "{view.name}"'])
    return "\n".join([*lines, f"loss = {loss}", compiled_with(view.model, "loss")])


def loss_that_ignores(view: OutputView, void: list[int], more: str = "") -> str:
    """Code that compiles a loss of keras_trainfix that ignores void.

    Args:
        view: `OutputView`.
        void: List of the ids of void; 255 if it is empty.
        more: String, more arguments of the loss.
    """
    ids = void[0] if len(void) == 1 else tuple(void) or 255
    name = "MaskedSoftDice" if view.loss.kind == "region" else "MaskedCrossentropy"
    return our_loss(view, name, ", ".join(filter(None, [f"ignore_class={ids}", more])))


def _optimizer(optimizer, rate, settings):
    """The code of an optimizer of Keras, with the settings that are not the default."""
    inner = inner_of(optimizer)
    name = type(inner).__name__
    known = getattr(keras.optimizers, name, None)
    rate = rate_of(optimizer) if rate is None else rate
    given = [settings] if settings else []
    if known is None or not isinstance(inner, known):  # an optimizer of the user's own
        name = "Adam"
    else:
        given = [*_other_settings(inner, known, settings), *given]
    return f"keras.optimizers.{name}({', '.join([f'{rate:.3g}', *given])})"


def _other_settings(optimizer, kind, replaced):
    config, usual = optimizer_config(optimizer), kind().get_config()
    return [
        f"{key}={value!r}"
        for key, value in config.items()
        if isinstance(value, int | float)
        and value != usual.get(key)
        and key not in ("name", "learning_rate")
        and f"{key}=" not in replaced
        and not (key.endswith(("clipnorm", "clipvalue")) and "clip" in replaced)
    ]


def _has_copy(layer):
    """Whether a layer comes back from its config, as one of the user's may not."""
    if not is_own(layer):
        return True
    try:
        type(layer).from_config(layer.get_config())
    except Exception:
        return False
    return True


def _is_functional(model):
    return type(model).__name__ == "Functional"
