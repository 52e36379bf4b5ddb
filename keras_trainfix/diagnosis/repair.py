"""Corrected copies of a model, for findings that a program can mend."""

import keras

from keras_trainfix.diagnosis.change import Change, RepairCase
from keras_trainfix.diagnosis.observe.head import PASS_ON, activation_of
from keras_trainfix.diagnosis.observe.loss import class_axis, loss_facts, losses_of
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.messages import tell
from keras_trainfix.models.clone import cloned
from keras_trainfix.models.freeze import freeze_batch_norm
from keras_trainfix.models.optimizers import copy_of, inner_of, rate_of


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
    plan = _Plan(model, diagnosis)
    for finding in findings:
        plan.add(finding)
    if not plan.changes:
        raise ValueError(
            "`fixed` mends heads, losses, frozen layers, batch normalization and "
            f"learning rates. Received: {_refused(findings)}. The `fix` of each "
            "finding is code to paste."
        )
    copy = _cloned(model, plan.layers)
    done = plan.done
    if any(CHECKS[finding.code].new_weights for finding in findings):
        done.append("new initial weights")
    else:
        copy.set_weights(model.get_weights())
    if any(change.trainable for change in plan.changes):
        copy.trainable = True
        done.append("all layers trainable")
    if any(change.frozen_statistics for change in plan.changes):
        freeze_batch_norm(copy)
        done.append("batch normalization frozen")
    rates = [c.learning_rate for c in plan.changes if c.learning_rate is not None]
    done += _compile(copy, model, plan.losses, next(iter(rates), None))
    tell(f"fixed: {', '.join(done)}.")
    return copy


class _Plan:
    """The changes that the findings ask for; the first one of an output counts."""

    def __init__(self, model, diagnosis):
        self.model = model
        self.names = list(getattr(model, "output_names", None) or ["output"])
        self.tasks = list(diagnosis.tasks.values())
        self.losses = losses_of(model, self.names)
        self.layers: dict[str, keras.Layer] = {}  # to replace, by their names
        self.changes: list[Change] = []
        self.done: list[str] = []
        self._mended: set[int] = set()

    def add(self, finding):
        check = CHECKS[finding.code]
        if check.repair is None:
            return
        if check.scope == "model":
            change = check.repair(RepairCase(None, "", 0, "", finding.evidence))
            self.changes += [change] if change else []
            return
        index = self.names.index(finding.output) if finding.output in self.names else 0
        layer = None if index in self._mended else _last_layer(self.model, index)
        if layer is None:
            return
        loss, activation = loss_facts(self.losses[index]), activation_of(layer)
        shape = self.model.outputs[index].shape
        axis = class_axis(self.losses[index], len(shape))
        units = int(shape[axis] or 1) if len(shape) > 1 else 1
        task = self.tasks[index] if self.tasks else "unknown"
        change = check.repair(
            RepairCase(loss, activation, units, task, finding.evidence)
        )
        if change is None:
            return
        self._mended.add(index)
        self.changes.append(change)
        if change.activation:
            self.layers[layer.name] = _with_activation(layer, change.activation)
            self.done.append(f"{activation} of '{layer.name}' -> {change.activation}")
        if change.loss is not None:
            self.losses[index] = change.loss
            self.done.append(f"loss {loss.name} -> {_described(change.loss)}")


def _refused(findings):
    """Which findings it cannot mend, and what they are about."""
    names = [f"{finding.code} {finding.name}" for finding in findings]
    return f"{', '.join(names)}, left to you" if names else "no finding above a note"


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
