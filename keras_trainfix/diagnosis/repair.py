"""Corrected copies of a model, for findings that need nobody to decide anything."""

from typing import Any, NamedTuple

import keras

from keras_trainfix.diagnosis.observe.head import PASS_ON, activation_of
from keras_trainfix.diagnosis.observe.loss import loss_facts, losses_of
from keras_trainfix.messages import tell
from keras_trainfix.models.clone import cloned
from keras_trainfix.models.freeze import freeze_batch_norm
from keras_trainfix.models.optimizers import copy_of, inner_of, rate_of

# The weights of a model with one of these are worth nothing: the copy has new ones.
LOST = ("KTF401", "KTF403", "KTF407", "KTF409")
BINARY, SPARSE = "binary_crossentropy", "sparse_categorical_crossentropy"
CATEGORICAL = "categorical_crossentropy"


class Case(NamedTuple):
    """What a repair of a head or its loss needs to know.

    Attributes:
        loss: `LossFacts` of the loss.
        activation: String, the name of the present activation.
        units: Integer.
        task: String, as `infer_task` has it.
        evidence: Dict of the `Finding`.
    """

    loss: Any
    activation: str
    units: int
    task: str
    evidence: dict


class Change(NamedTuple):
    """What to change of an output; None for what stays.

    Attributes:
        activation: String.
        loss: A loss as `compile` takes it.
    """

    activation: str | None = None
    loss: Any = None


def fixed_copy(diagnosis, model):
    """A copy of a model without the faults that a program can mend.

    Args:
        diagnosis: `Diagnosis` of the model.
        model: The `keras.Model`, functional or sequential; it stays as it is.

    Returns:
        A `keras.Model`, compiled where `model` is, with the same weights unless the
        diagnosis says that these are lost.

    Raises:
        ValueError: If no finding can be mended so, or if the model cannot be copied.
    """
    findings = [f for f in diagnosis.findings if f.severity != "note"]
    losses, replaced, done = _changes(findings, diagnosis, model)
    codes = {finding.code for finding in findings}
    rate = _better_rate(findings)
    has_more = codes & {"KTF301", "KTF302", "KTF303", "KTF304"}
    if not done and not has_more and rate is None:
        raise ValueError(
            "`fixed` mends heads, losses, frozen layers, batch normalization and "
            "learning rates, and needs a finding about one of these. Received: "
            f"{', '.join(diagnosis.codes) or 'no finding'}. The `fix` of each finding "
            "is code to paste."
        )
    copy = _cloned(model, replaced)
    if not codes & set(LOST):
        copy.set_weights(model.get_weights())
    else:
        done.append("new initial weights")
    if "KTF303" in codes:
        copy.trainable = True
        done.append("all layers trainable")
    if codes & {"KTF301", "KTF302"}:
        freeze_batch_norm(copy)
        done.append("batch normalization frozen")
    done += _compile(copy, model, losses, rate)
    tell(f"fixed: {', '.join(done)}.")
    return copy


def _changes(findings, diagnosis, model):
    """The losses, the layers to replace by their names, and what is new, in words."""
    names = list(getattr(model, "output_names", None) or ["output"])
    losses = losses_of(model, names)
    replaced: dict[str, keras.Layer] = {}
    done, mended = [], set()
    for finding in findings:
        repair = REPAIRS.get(finding.code)
        index = names.index(finding.output) if finding.output in names else 0
        if repair is None or index in mended:
            continue
        layer = _last_layer(model, index)
        if layer is None:
            continue
        task = list(diagnosis.tasks.values())[index] if diagnosis.tasks else "unknown"
        units = int(model.outputs[index].shape[-1] or 1)
        loss, activation = loss_facts(losses[index]), activation_of(layer)
        change = repair(Case(loss, activation, units, task, finding.evidence))
        if change is None:
            continue
        mended.add(index)
        if change.activation:
            replaced[layer.name] = _with_activation(layer, change.activation)
            done.append(f"{activation} of '{layer.name}' -> {change.activation}")
        if change.loss is not None:
            losses[index] = change.loss
            done.append(f"loss {loss.name} -> {_described(change.loss)}")
    return losses, replaced, done


def _described(loss):
    if isinstance(loss, str):
        return loss
    facts = loss_facts(loss)
    return f"{facts.name}(from_logits={facts.from_logits})"


def _last_layer(model, index):
    """The layer with the activation of an output, or None where it is not to be had."""
    if not getattr(model, "outputs", None):
        return None
    layer = model.outputs[index]._keras_history.operation
    while isinstance(layer, PASS_ON):
        layer = layer.input._keras_history.operation
    if isinstance(layer, keras.Model) or not isinstance(layer, keras.Layer):
        return None
    is_activation = isinstance(layer, keras.layers.Softmax | keras.layers.ReLU)
    return layer if is_activation or hasattr(layer, "activation") else None


def _cloned(model, replaced):
    try:
        return cloned(model, replaced)
    except Exception as error:
        raise ValueError(
            "`fixed` copies functional and sequential models whose layers have a "
            f"configuration. Received: a {type(model).__name__}, with "
            f"{type(error).__name__}: {error}. The `fix` of each finding is code to "
            "paste."
        ) from error


def _with_activation(layer, activation):
    if not hasattr(layer, "activation"):
        return keras.layers.Activation(activation, name=layer.name)
    return type(layer).from_config({**layer.get_config(), "activation": activation})


def _compile(copy, model, losses, rate):
    """Compiles the copy as the model is; returns what is different, in words."""
    if not model.compiled:
        return []
    # No public name: `get_compile_config` cannot hold functions of the user.
    config = dict(model._compile_config.config)
    loss = config["loss"]
    if isinstance(loss, dict):
        loss = dict(zip(model.output_names, losses, strict=True))
    elif loss is not None:
        loss = losses if len(losses) > 1 else losses[0]
    config["loss"] = loss
    for key in ("metrics", "weighted_metrics"):
        config[key] = keras.tree.map_structure(_renewed, config.get(key))
    optimizer = copy_of(model.optimizer, copy.trainable_variables, with_state=False)
    before, done = rate_of(optimizer), []
    if rate is not None:
        inner_of(optimizer).learning_rate = rate
        done = [f"learning rate {before:.3g} -> {rate:.3g}"]
    copy.compile(**{**config, "optimizer": optimizer})
    return done or ["compiled anew"]


def _renewed(metric):
    """A metric without what it has counted."""
    if not isinstance(metric, keras.Metric):
        return metric
    return type(metric).from_config(metric.get_config())


def _better_rate(findings):
    rates = [f.evidence.get("better_rate") for f in findings if f.code in RATES]
    return next(filter(None, rates), None)


def _one_unit(case):
    if case.task == "regression":
        loss = None if case.loss.kind == "regression" else "mean_squared_error"
        return Change("linear", loss)
    if case.evidence.get("classes", 2) > 2:
        return None  # more units, so other weights
    loss = None if case.loss.kind in ("binary", "region", "masked") else BINARY
    return Change("sigmoid", loss)


def _reach(case):
    return Change("linear")


def _take_logits(case):
    loss = _with_logits(case.loss.loss, True)
    activation = None if case.activation in ("linear", "unknown") else "linear"
    if loss is not None:
        return Change(activation, loss)
    return Change("sigmoid" if case.units == 1 else "softmax")


def _take_probabilities(case):
    loss = _with_logits(case.loss.loss, False)
    return None if loss is None else Change(None, loss)


def _fit_loss_to_head(case):
    kind = case.loss.kind
    if case.units == 1 and kind in ("categorical", "sparse"):
        return _one_unit(case)
    if "classes" in case.evidence:
        return None  # another number of units
    is_multi_label = case.task.startswith("multi-label")
    if kind == "binary":
        return Change("sigmoid") if is_multi_label else Change(None, CATEGORICAL)
    return Change(None, BINARY) if is_multi_label else Change("softmax")


def _fit_loss_to_labels(case):
    if case.loss.kind == "categorical" and "units" in case.evidence:
        return Change(None, _renamed(case.loss, SPARSE))
    if case.loss.kind == "sparse" and "columns" in case.evidence:
        return Change(None, _renamed(case.loss, CATEGORICAL))
    return None


def _renamed(facts, name):
    return _with_logits(name, True) if facts.from_logits else name


def _with_logits(loss, from_logits):
    """A loss of Keras or ours with another `from_logits`; None if it has none."""
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", None)
    if not isinstance(loss, keras.Loss):
        kind = getattr(keras.losses, _class_name(name or ""), None)
        if kind is None:
            return None
        loss = kind()
    config = loss.get_config()
    if "from_logits" not in config:
        return None
    return type(loss).from_config({**config, "from_logits": from_logits})


def _class_name(name):
    return "".join(word.capitalize() for word in name.split("_"))


RATES = ("KTF401", "KTF402")
REPAIRS = {
    "KTF201": _one_unit,
    "KTF202": _reach,
    "KTF203": _take_logits,
    "KTF204": _take_probabilities,
    "KTF205": _fit_loss_to_head,
    "KTF206": _fit_loss_to_labels,
}
