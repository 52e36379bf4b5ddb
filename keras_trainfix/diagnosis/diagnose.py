"""Checks a model and its data, before or after training, and names what is wrong."""

from collections.abc import Callable
from typing import Any

import keras

from keras_trainfix.data import is_text
from keras_trainfix.diagnosis.findings import Diagnosis
from keras_trainfix.diagnosis.ranking import ranked
from keras_trainfix.diagnosis.registry import CHECKS, Check
from keras_trainfix.diagnosis.report.plots import dead_shares, output_summary
from keras_trainfix.diagnosis.snapshot import CallError, Snapshot
from keras_trainfix.diagnosis.trial.attempt import attempt, has_ended, new_weights
from keras_trainfix.diagnosis.trial.result import NOT_COMPILED
from keras_trainfix.messages import in_one_line

NO_TARGETS = "No targets: only inputs and layers were checked."


def diagnose(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    fit: bool = True,
) -> Diagnosis:
    """Looks at a model and a few samples, and names what keeps it from learning.

    Up to 256 samples go through the model once, in inference mode, and its predictions
    are compared with the best constant answer. Loss and metrics are called once. With
    `fit=True` a trial follows: a few steps at the compiled learning rate and at others,
    and one small batch that the model should memorize. Afterwards weights, statistics,
    optimizer, metrics, random state and compiled functions are what they were.

    It can be called before and after training; after some training it finds more. See
    `CollapseDetector` for the same during `fit`.

    Args:
        model: A built `keras.Model`, compiled if loss and learning rate are to be
            judged.
        x: Inputs that the model is trained on: arrays, tensors, frames of pandas, or a
            dict or list of these; `(x, y)` or `(x, y, sample_weight)`; or batches as
            `fit` takes them.
        y: Targets, if `x` are arrays. Without targets only inputs and layers are
            checked, and the diagnosis says so first.
        sample_weight: Weights, if `x` are arrays.
        fit: Boolean, whether to make the trial, which takes some seconds.

    Returns:
        `Diagnosis`: `.findings`, causes before symptoms; `.ok`; printing it shows them.

    Raises:
        ValueError: If there is no sample, or if the samples do not fit the model.
        TypeError: If no samples can be read from `x`.

    Examples:
        >>> model = keras.Sequential(
        ...     [keras.Input((4,)), keras.layers.Dense(1, activation="softmax")]
        ... )
        >>> model.compile("adam", "binary_crossentropy")
        >>> x = np.random.default_rng(0).normal(size=(64, 4))
        >>> diagnosis = diagnose(model, x, x[:, 0] > 0, fit=False)
        >>> diagnosis.ok
        False
        >>> diagnosis.findings[0].name
        'softmax-on-one-unit'

    Reference:

    - [Schoop et al., 2021](https://doi.org/10.1145/3411764.3445538)
    """
    try:
        snapshot = Snapshot(model, x, y, sample_weight)
    except CallError as error:
        diagnosis = examine(error.snapshot, lambda check: check.inputs_only)
        if diagnosis.ok:
            raise
        return diagnosis
    reason = None
    if fit:
        weights = new_weights(model) if has_ended(snapshot) else None
        reason = attempt(snapshot, weights)
    diagnosis = examine(snapshot)
    if reason is not None:
        diagnosis.skipped["trial"] = reason
    if not snapshot.has_targets:
        diagnosis.skipped["targets"] = NO_TARGETS
    if getattr(model, "optimizer", None) is None:
        diagnosis.skipped["trial"] = NOT_COMPILED
    return diagnosis


def examine(
    snapshot: Snapshot, condition: Callable[[Check], bool] | None = None
) -> Diagnosis:
    """Runs the checks.

    Args:
        snapshot: `Snapshot`.
        condition: Function of a `Check`, whether to run it; None for all.

    Returns:
        `Diagnosis`.
    """
    views = snapshot.views()
    findings, skipped = [], {}
    for check in CHECKS.values():
        if condition is not None and not condition(check):
            continue
        for subject in views if check.scope == "output" else [snapshot]:
            try:
                finding = check.run(subject)
            except Exception as error:  # a check that fails must not hide the others
                skipped[check.code] = in_one_line(error)
                continue
            if finding is not None:
                findings.append(finding)
    tasks = {view.name: view.task for view in views if not is_text(view.targets)}
    tasks = tasks if snapshot.layers else {}
    outputs = tuple(filter(None, map(output_summary, views)))
    dead = dead_shares(snapshot.layers)
    return Diagnosis(ranked(findings), tasks, skipped, outputs, dead)
