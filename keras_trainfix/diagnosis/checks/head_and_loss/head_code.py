"""The code of fixes that give an output another loss, activation or head."""

from typing import Any, NamedTuple

import keras

import keras_trainfix.losses
from keras_trainfix.diagnosis.change import BINARY, CATEGORICAL, SPARSE
from keras_trainfix.diagnosis.fix_code import compiled_with, layer_of, recompiled
from keras_trainfix.diagnosis.observe.head import activation_of, last_layer
from keras_trainfix.keras_internals import producer

MODEL_LOSS = "model.loss"
DICE_AND_CROSS_ENTROPY = ("MaskedSoftDice", "MaskedCrossentropy")
CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


class SuitedHead(NamedTuple):
    """A head and a loss that suit the labels."""

    units: int
    activation: str
    loss: str


def suited_head(view: Any) -> SuitedHead:
    """The head and the loss for the labels of an output.

    Args:
        view: `OutputView`; without targets its task decides.
    """
    labels, is_real = view.labels, view.task == "regression"
    if labels is None or labels.numbers is None:
        units, activation = view.head.units, "linear" if is_real else "sigmoid"
        return SuitedHead(units, activation, "mse" if is_real else BINARY)
    columns = labels.numbers.shape[1] if labels.is_rows else 1
    if is_real or labels.form == "real":
        return SuitedHead(columns, "linear", "mse")
    if labels.form == "multi-hot":
        return SuitedHead(columns, "sigmoid", BINARY)
    if columns > 1:
        return SuitedHead(columns, "softmax", CATEGORICAL)
    if len(labels.classes) > 2 and labels.classes[0] >= 0:
        return SuitedHead(labels.classes[-1] + 1, "softmax", SPARSE)
    return SuitedHead(1, "sigmoid", BINARY)


def with_suited_head(view: Any) -> str:
    """Code that gives an output the head and the loss for its labels."""
    units, activation, loss = suited_head(view)
    if units != view.head.units:
        return with_head(view, units, activation, loss)
    if activation == view.head.activation:
        return with_loss(view, loss)
    return with_activation(view, activation, loss)


def with_loss(
    view: Any, loss: str, *, first: str = "", rate: float | None = None
) -> str:
    """Code that compiles the model with another loss of an output.

    Args:
        view: `OutputView`.
        loss: String, the expression of the loss, or its name in Keras.
        first: String, lines of code that come first. Defaults to none.
        rate: Float, another learning rate. Defaults to the present one.
    """
    model = view.model
    lines = [first] if first else []
    if loss.startswith("keras_trainfix."):
        lines.insert(0, "import keras_trainfix")
    loss = f'"{loss}"' if loss.isidentifier() else loss
    if len(view.names) > 1:
        if isinstance(model.loss, dict):
            lines.append(f"loss = {{**model.loss, {view.name!r}: {loss}}}")
        else:
            is_list = isinstance(model.loss, list | tuple)
            all_of_them = f"[*{MODEL_LOSS}]" if is_list else f"[{MODEL_LOSS}]"
            many = "" if is_list else f" * {len(view.names)}"
            lines += [f"loss = {all_of_them}{many}", f"loss[{view.index}] = {loss}"]
        loss = "loss"
    return "\n".join([*lines, compiled_with(model, loss, rate=rate)])


def with_activation(view: Any, activation: str, loss: str = "") -> str:
    """Code that gives an output another activation, and the model the loss.

    Args:
        view: `OutputView`.
        activation: String, its name in Keras.
        loss: As in `with_loss`; the present one by default.
    """
    name = _activation_layer(view)
    if name is None:
        return with_head(view, view.head.units, activation, loss)
    change = f"{name}.activation = keras.activations.{activation}"
    if loss:
        return with_loss(view, loss, first=change)
    return recompiled(view.model, change)


def with_head(view: Any, units: int, activation: str, loss: str = "") -> str:
    """Code that replaces the head of a model by a new one, with new weights.

    Args:
        view: `OutputView`.
        units: Integer.
        activation: String, its name in Keras; `"linear"` for none.
        loss: As in `with_loss`; the present one by default.

    Returns:
        String; comments where the code depends on how the model was written.
    """
    old = _head_layer(view)
    kept = f', activation="{activation}"' if activation != "linear" else ""
    if old is None:
        kind = "Conv2D" if view.predictions.ndim == 4 else "Dense"
        size = f"{units}, 1" if kind == "Conv2D" else f"{units}"
        lines = [
            "# in the definition of the model, its last layer:",
            f"# keras.layers.{kind}({size}{kept})",
        ]
        return "\n".join([*lines, *([f'# and the loss "{loss}"'] if loss else [])])
    size = f"{units}"
    if isinstance(old, CONVOLUTIONS):
        size += f', {old.kernel_size}, padding="{old.padding}"'
    lines = [
        f"features = {layer_of(view.model, old.name)}.input",
        f"outputs = keras.layers.{type(old).__name__}({size}{kept})(features)",
        "model = keras.Model(model.inputs, outputs)",
    ]
    change = "\n".join(lines)
    if loss:
        return with_loss(view, loss, first=change)
    return recompiled(view.model, change)


def present_loss(view: Any, **changes: Any) -> str | None:
    """The expression of the loss of an output with other settings.

    Args:
        view: `OutputView`.
        **changes: Arguments of the loss.

    Returns:
        String, such as `keras.losses.BinaryCrossentropy(from_logits=True)`; None for
        a loss that is neither of Keras nor of keras_trainfix.
    """
    loss, settings = view.loss.loss, changes
    if isinstance(loss, keras.Loss):
        name = type(loss).__name__
        settings = {**_settings(loss), **changes}
    else:
        words = view.loss.name.split("_")
        name = "".join(word.capitalize() for word in words)
    homes = (("keras.losses", keras.losses), ("keras_trainfix", keras_trainfix.losses))
    home = next((path for path, module in homes if hasattr(module, name)), None)
    if home is None or any(map(_is_object, settings.values())):
        return None
    arguments = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    return f"{home}.{name}({arguments})"


def dice_and_cross_entropy(view: Any) -> str:
    """The expression of the sum of both, for logits or probabilities as they are."""
    scale = "" if view.head.is_probability else "from_logits=True"
    parts = (f"keras_trainfix.{name}({scale})" for name in DICE_AND_CROSS_ENTROPY)
    return f"keras_trainfix.WeightedSum([{', '.join(parts)}])"


def loss_expression(view: Any) -> str:
    """The expression of the present loss of an output."""
    if isinstance(view.model.loss, dict):
        return f"{MODEL_LOSS}[{view.name!r}]"
    if isinstance(view.model.loss, list | tuple):
        return f"{MODEL_LOSS}[{view.index}]"
    return MODEL_LOSS


def _settings(loss):
    """The arguments of a loss that are not the defaults."""
    config = loss.get_config()
    try:
        defaults = type(loss)().get_config()
    except TypeError:  # it has arguments without a default
        defaults = {}
    return {k: v for k, v in config.items() if k not in defaults or defaults[k] != v}


def _is_object(value):
    """Whether `repr` of a setting is no code."""
    is_plain = value is None or isinstance(value, bool | int | float | str)
    is_many = isinstance(value, list | tuple)
    return not is_plain and not (is_many and not any(map(_is_object, value)))


def _activation_layer(view):
    """The expression of the layer with the last activation, or None."""
    layer = last_layer(view.model, view.index)
    if layer is None:
        same = [x for x in view.model.layers if x.name == view.head.layer]
        layer = same[0] if same and activation_of(same[0]) != "linear" else None
    if layer is None or not hasattr(layer, "activation"):
        return None
    return layer_of(view.model, layer.name)


def _head_layer(view):
    """The layer with the weights of a head if a new one can take its place, or None."""
    model = view.model
    is_graph = bool(getattr(model, "outputs", None)) and len(view.names) == 1
    if not is_graph or isinstance(view.snapshot.sample.x, dict):
        return None
    layer = producer(model.outputs[0])
    if isinstance(layer, keras.Layer) and not layer.weights and layer is not model:
        before = getattr(layer, "input", None)
        is_activation = last_layer(model, 0) is layer
        layer = producer(before) if is_activation and before is not None else None
    if type(layer) not in (keras.layers.Dense, *CONVOLUTIONS):
        return None
    is_plain = isinstance(layer, keras.layers.Dense) or (
        set(layer.strides) == set(layer.dilation_rate) == {1}
        and layer.data_format == keras.config.image_data_format()
    )
    return layer if is_plain and layer_of(model, layer.name) else None
