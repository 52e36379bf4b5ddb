"""Checks a model and its data, before or after training, and names what is wrong."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras

from keras_trainfix.diagnosis.budget import FOR_TRIAL, SECONDS, Deadline
from keras_trainfix.diagnosis.examine import asked_again, examine, with_proofs
from keras_trainfix.diagnosis.experiments.proving import (
    can_be_treated,
    try_treatments,
)
from keras_trainfix.diagnosis.findings import Diagnosis
from keras_trainfix.diagnosis.fit_arguments import (
    FitArguments,
    listed,
    planned_steps,
    split,
)
from keras_trainfix.diagnosis.measure.unmeasured import (
    without_targets,
)
from keras_trainfix.diagnosis.observe.given_model import check_model
from keras_trainfix.diagnosis.observe.sample import as_given, number_of_inputs
from keras_trainfix.diagnosis.repair import mendable
from keras_trainfix.diagnosis.snapshot import CallError, Snapshot
from keras_trainfix.diagnosis.trial.attempt import attempt, has_ended, new_weights
from keras_trainfix.diagnosis.trial.result import NOT_COMPILED


def diagnose(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    fit: bool = True,
    class_weight: Mapping[int, float] | None = None,
    validation_data: Any = None,
    validation_split: float = 0.0,
    epochs: int = 1,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    initial_epoch: int = 0,
    shuffle: bool = True,
    callbacks: Any = None,
    verbose: Any = "auto",
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int = 1,
    seconds: float | None = None,
) -> Diagnosis:
    """Looks at a model and a few samples, and names what keeps it from learning.

    Up to 256 samples go through the model once, in inference mode, and its predictions
    are compared with the best constant answer. Loss and metrics are called once. With
    `fit=True` a trial follows: a few steps at the compiled learning rate and at others,
    and one small batch that the model should memorize. Afterwards weights, statistics,
    optimizer, metrics, random state and compiled functions are what they were.

    It takes the arguments of `fit`: replace `model.fit(` by `diagnose(model, ` and
    change nothing else. Data that can be read again are read for up to two epochs. Of a
    generator it takes as many batches as 256 samples need, and says how many.

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
        class_weight: As in `fit`.
        validation_data: As in `fit`; compared with the training data.
        validation_split: As in `fit`: the share at the end of `x` that is held out.
        epochs: As in `fit`.
        batch_size: As in `fit`.
        steps_per_epoch: As in `fit`.
        initial_epoch: As in `fit`.
        shuffle: As in `fit`.
        callbacks: As in `fit`: what they monitor is compared with the metrics, and a
            copy of the schedule of a `LearningRateScheduler` is asked for its rates.
            They are not called otherwise.
        verbose: As in `fit`: 0 shows no progress.
        validation_steps: Not used.
        validation_batch_size: Not used.
        validation_freq: Not used.
        seconds: About how long trial and experiments may take at most; what this leaves
            out is named. It only guards: how much is tried depends on the work that a
            step takes, not on the clock. Defaults to 60.

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
    check_model(model, x, y)
    number = number_of_inputs(model)
    x, y, sample_weight, _ = as_given(x, y, sample_weight, number)
    if validation_data is None:
        parts = split(x, y, sample_weight, validation_split)
        (x, y, sample_weight), validation_data = parts
    else:
        validation_split = 0.0  # as in `fit`, which then cuts nothing off
    arguments = FitArguments(
        class_weight,
        validation_data,
        validation_split,
        epochs,
        batch_size,
        steps_per_epoch,
        initial_epoch,
        shuffle,
        callbacks=listed(callbacks),
        planned_steps=planned_steps(
            x, epochs, initial_epoch, steps_per_epoch, batch_size
        ),
    )
    try:
        snapshot = Snapshot(model, x, y, sample_weight, fit=arguments)
    except CallError as error:
        diagnosis = examine(error.snapshot, lambda check: check.inputs_only)
        if diagnosis.ok:
            raise
        return diagnosis
    reason, weights = None, None
    seconds = SECONDS if seconds is None else seconds
    deadline, of_trial = Deadline(seconds), Deadline(FOR_TRIAL * seconds)
    if fit:
        weights = new_weights(model) if has_ended(snapshot) else None
        reason = attempt(
            snapshot, weights, deadline=of_trial, show_progress=verbose not in (0, "0")
        )
    diagnosis = examine(snapshot)
    if weights is not None:
        diagnosis = asked_again(snapshot, weights, diagnosis)
    if fit and can_be_treated(snapshot):
        untried = try_treatments(snapshot, diagnosis.findings, deadline, weights)
        diagnosis = with_proofs(snapshot, diagnosis, weights is not None)
        if untried is not None:
            diagnosis.skipped["treatments"] = untried
    if reason is not None:
        diagnosis.skipped["trial"] = reason
    if not snapshot.has_targets:
        diagnosis.skipped["targets"] = without_targets(snapshot)
    if getattr(model, "optimizer", None) is None:
        diagnosis.skipped["trial"] = NOT_COMPILED
    return replace(diagnosis, mendable=mendable(diagnosis, model))
