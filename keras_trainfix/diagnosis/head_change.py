"""The head and the loss of an output that a finding asks for."""

from typing import Any, NamedTuple

import keras

from keras_trainfix.diagnosis.change import Change, RepairCase
from keras_trainfix.diagnosis.findings import Finding
from keras_trainfix.diagnosis.observe.head import activation_of, last_layer
from keras_trainfix.diagnosis.observe.loss import class_axis, loss_facts
from keras_trainfix.diagnosis.registry import CHECKS


class HeadChange(NamedTuple):
    """What a repair changes in one output.

    Attributes:
        number: Integer, the number of the output.
        layer: The `keras.Layer` with its last activation.
        change: `Change`.
        words: List of strings: what is different.
    """

    number: int
    layer: keras.Layer
    change: Change
    words: list[str]


def output_of(names: list[str], finding: Finding) -> int:
    """The number of the output that a finding concerns; 0 where it does not say."""
    return names.index(finding.output) if finding.output in names else 0


def head_change(
    model: keras.Model,
    losses: list[Any],
    tasks: list[str],
    index: int,
    finding: Finding,
) -> HeadChange | str:
    """What the repair of a finding changes in an output.

    Args:
        model: The `keras.Model`.
        losses: List of the loss of each output, as `compile` takes it.
        tasks: List of the task of each output, as `infer_task` has it; may be empty.
        index: Integer, the number of the output.
        finding: `Finding` of a check of outputs that has a repair.

    Returns:
        `HeadChange`, or a string that says why there is none.
    """
    check = CHECKS[finding.code]
    layer = last_layer(model, index)
    if layer is None:
        return "the layer with the last activation is not in the graph of a model"
    loss, activation = loss_facts(losses[index]), activation_of(layer)
    shape = model.outputs[index].shape
    axis = class_axis(losses[index], len(shape))
    units = int(shape[axis] or 1) if len(shape) > 1 else 1
    task = tasks[index] if index < len(tasks) else "unknown"
    case = RepairCase(loss, activation, units, task, finding.evidence)
    change = None if check.repair is None else check.repair(case)
    if not isinstance(change, Change):
        return change or check.family.left
    words = []
    if change.activation:
        words.append(f"{activation} of '{layer.name}' -> {change.activation}")
    if change.loss is not None:
        words.append(f"loss {loss.name} -> {_described(change.loss)}")
    return HeadChange(index, layer, change, words)


def _described(loss: Any) -> str:
    if isinstance(loss, str):
        return loss
    facts = loss_facts(loss)
    return f"{facts.name}(from_logits={facts.from_logits})"
