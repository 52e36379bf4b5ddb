"""Corrected copies of a model, for findings that a program can mend."""

from typing import Any

import keras

from keras_trainfix.diagnosis.change import Change, RepairCase
from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.findings import Cure, Diagnosis, Finding, Proof, provides
from keras_trainfix.diagnosis.head_change import head_change, output_of
from keras_trainfix.diagnosis.observe.loss import losses_of
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.keras_internals import compile_arguments
from keras_trainfix.messages import in_one_line, tell
from keras_trainfix.models.batch_norm_layers import all_layers
from keras_trainfix.models.clone import cloned
from keras_trainfix.models.freeze import freeze_batch_norm
from keras_trainfix.models.optimizers import copy_of, inner_of, rate_of

NEW = "new initial weights"


@provides
def fixed_copy(diagnosis: Diagnosis, model: keras.Model) -> keras.Model:
    """A copy of a model without the faults that a program can mend.

    Args:
        diagnosis: `Diagnosis` of the model.
        model: The `keras.Model`; it stays as it is.

    Returns:
        A `keras.Model`, compiled where `model` is, with the same weights unless the
        diagnosis says that these are lost.

    Raises:
        ValueError: If no finding can be mended so, or if the model cannot be copied.
    """
    findings = [f for f in diagnosis.findings if f.severity != "note"]
    plan, mend = _planned(diagnosis, model)
    cure = diagnosis.cure
    if not plan.changes and mend is None:
        received = _listed(plan.left) or "no finding above a note"
        raise ValueError(
            "`fixed` mends heads, losses, frozen layers, batch normalization, "
            "learning rates, and what an experiment has shown. Received: "
            f"{received}. The `fix` of each finding is code to paste."
        )
    copy = _cloned(model, plan.layers)
    done = plan.done
    is_fresh = cure is not None and mend is not None and cure.is_fresh
    if is_fresh or any(CHECKS[finding.code].new_weights for finding in findings):
        if cure is None or mend is None or not cure.words.startswith(NEW):
            done.append(NEW)
    else:
        copy.set_weights(model.get_weights())
    if any(change.trainable for change in plan.changes):
        copy.trainable = True
        done.append("all layers trainable")
    if any(change.frozen_statistics for change in plan.changes):
        freeze_batch_norm(copy)
        done.append("batch normalization frozen")
    rates = [c.learning_rate for c in plan.changes if c.learning_rate is not None]
    rate, settings, shown = next(iter(rates), None), {}, ""
    if cure is not None and mend is not None:
        mended = Mended(model, copy)
        mend(mended)
        copy, settings = mended.copy, mended.settings
        if mended.loss is not None:
            plan.losses = keras.tree.flatten(mended.loss)
        plan.loss_weights = mended.loss_weights
        if cure.factor != 1:
            rate = rate_of(model.optimizer) * cure.factor
        if cure.words != "; ".join(plan.words):
            done.append(cure.words)
        shown = f" {_shown(cure.proof)}"
    done += _compile(copy, model, plan, rate, settings)
    left = f" Left to you: {_listed(plan.left)}." if plan.left else ""
    tell(f"fixed: {', '.join(done)}.{shown}{left}")
    return copy


def mendable(diagnosis: Diagnosis, model: keras.Model) -> tuple[int, ...]:
    """The numbers, from 1, of the findings that `fixed` mends in a model.

    Args:
        diagnosis: `Diagnosis` of the model.
        model: The `keras.Model`; it stays as it is.

    Returns:
        Tuple of integers; empty where the model cannot be copied.
    """
    plan, _ = _planned(diagnosis, model)
    if not plan.mended or not _has_configs(model):
        return ()
    return tuple(sorted(plan.mended))


def _planned(diagnosis: Diagnosis, model: keras.Model) -> tuple["_Plan", Any]:
    """What is to change in a copy, and the `mend` of the cure that goes with it."""
    numbered = [
        (number, finding)
        for number, finding in enumerate(diagnosis.findings, 1)
        if finding.severity != "note"
    ]
    findings = [finding for _, finding in numbered]
    plan, cure = _Plan(model, diagnosis), diagnosis.cure
    mend = None if cure is None or _sets_rate(findings, cure) else cure.mend
    for number, finding in numbered:
        if mend is not None and "better_rate" in finding.evidence:
            plan.mended.append(number)
            continue  # the cure has shown what it does at a rate of its own
        is_treated = (
            cure is not None and mend is not None and finding.code in cure.codes
        )
        follows = CHECKS[finding.code].follows
        is_consequence = follows is not None and any(map(follows, findings))
        if plan.add(finding, is_treated or is_consequence) or is_treated:
            plan.mended.append(number)
    return plan, mend


def _has_configs(model: keras.Model) -> bool:
    """Whether model and layers can be copied, without making the copy."""
    try:
        for layer in all_layers(model):
            layer.get_config()
    except Exception:  # the user's code
        return False
    return True


class _Plan:
    """The changes that the findings ask for; the first one of an output counts."""

    def __init__(self, model: keras.Model, diagnosis: Diagnosis):
        self.model = model
        self.names = list(getattr(model, "output_names", None) or ["output"])
        self.tasks = list(diagnosis.tasks.values())
        self.losses = losses_of(model, self.names)
        self.loss_weights: Any = None  # None keeps the present ones
        self.layers: dict[str, keras.Layer] = {}  # to replace, by their names
        self.changes: list[Change] = []
        self.done: list[str] = []
        self.words: list[str] = []  # about heads and losses
        self.left: dict[str, str] = {}  # a finding to the reason why it stays
        self.mended: list[int] = []  # the numbers of the findings that go
        self._mended: dict[int, str] = {}  # the output to the code

    def add(self, finding: Finding, is_explained: bool) -> bool:
        """Plans the change for a finding, or notes why there is none."""
        change = self._change_for(finding)
        if isinstance(change, Change):
            self.changes.append(change)
            return True
        if not is_explained:
            self.left[f"{finding.code} {finding.name}"] = change
        return False

    def _change_for(self, finding: Finding) -> Change | str:
        check = CHECKS[finding.code]
        if check.repair is None:
            return check.family.left
        if check.scope == "model":
            case = RepairCase(None, "", 0, "", finding.evidence)
            return check.repair(case) or check.family.left
        index = output_of(self.names, finding)
        if index in self._mended:
            return f"diagnose the copy again, mended for {self._mended[index]}"
        found = head_change(self.model, self.losses, self.tasks, index, finding)
        if isinstance(found, str):
            return found
        self._mended[index] = finding.code
        self.done += found.words
        self.words += found.words
        layer, change = found.layer, found.change
        if change.activation:
            self.layers[layer.name] = _with_activation(layer, change.activation)
        if change.loss is not None:
            self.losses[index] = change.loss
        return change


def _sets_rate(findings: list[Finding], cure: Cure) -> bool:
    """Whether the rate is the first cause, for which the trial knows a better one."""
    for finding in findings:
        if "better_rate" in finding.evidence:
            return True
        if finding.code in cure.codes and finding.proof is not None:
            return False
    return False


def _shown(proof: Proof) -> str:
    return (
        f"With that, {proof.steps} steps reached a skill of {proof.skill_with:.2f}; "
        f"without, {max(proof.skill_without, 0):.2f}."
    )


def _listed(left: dict[str, str]) -> str:
    """The findings that stay, each with the reason."""
    return "; ".join(f"{name}: {reason}" for name, reason in left.items())


def _cloned(model: keras.Model, replaced: dict[str, keras.Layer]) -> keras.Model:
    try:
        return cloned(model, replaced)
    except Exception as error:
        raise ValueError(
            "`fixed` copies functional and sequential models, and subclasses of "
            "`keras.Model`, if all their layers have a `get_config`. Received: a "
            f"{type(model).__name__}, with {in_one_line(error)}. The `fix` of each "
            "finding is code to paste."
        ) from error


def _with_activation(layer: keras.Layer, activation: str) -> keras.Layer:
    if not hasattr(layer, "activation"):
        return keras.layers.Activation(activation, name=layer.name)
    return type(layer).from_config({**layer.get_config(), "activation": activation})


def _compile(
    copy: keras.Model,
    model: keras.Model,
    plan: _Plan,
    rate: float | None,
    settings: dict[str, Any],
) -> list[str]:
    """Compiles the copy like the model; returns what is different, in words."""
    if not model.compiled:
        return []
    config = compile_arguments(model)
    loss = config["loss"]
    if isinstance(loss, dict):
        loss = dict(zip(model.output_names, plan.losses, strict=True))
    elif loss is not None:
        loss = plan.losses if len(plan.losses) > 1 else plan.losses[0]
    config["loss"] = loss
    if plan.loss_weights is not None:
        config["loss_weights"] = plan.loss_weights
    for key in ("metrics", "weighted_metrics"):
        config[key] = keras.tree.map_structure(_renewed, config.get(key))
    optimizer = copy_of(model.optimizer, copy.trainable_variables, with_state=False)
    for name, value in settings.items():
        setattr(inner_of(optimizer), name, value)
    before, done = rate_of(optimizer), []
    if rate is not None:
        inner_of(optimizer).learning_rate = rate
        done = [f"learning rate {before:.3g} -> {rate:.3g}"]
    copy.compile(**{**config, "optimizer": optimizer})
    return done or ["compiled again"]


def _renewed(metric: Any) -> Any:
    """A metric of the same kind, reset."""
    if not isinstance(metric, keras.Metric):
        return metric
    return type(metric).from_config(metric.get_config())
