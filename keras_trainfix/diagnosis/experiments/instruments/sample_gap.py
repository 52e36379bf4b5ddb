"""How far other samples lie from those of the training."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.measure.input_gap import InputGap, input_gap
from keras_trainfix.diagnosis.measure.label_gap import (
    LabelGap,
    coding_of,
    ids_of,
    label_gap,
    order_of_classes,
)
from keras_trainfix.diagnosis.observe.batches import is_once
from keras_trainfix.diagnosis.observe.sample import Sample, take

MOST_CLASSES = 1000


class SampleGap(NamedTuple):
    """Other samples against those of the training.

    Attributes:
        inputs: Dict of the name of each input to its `InputGap`.
        labels: Dict of the name of each output that has classes to its `LabelGap`.
        numbers: Dict of the name of each other output to the `InputGap` of its targets.
    """

    inputs: dict[str, InputGap]
    labels: dict[str, LabelGap]
    numbers: dict[str, InputGap]


@instrument("validation data against training data")
def validation_gap(snapshot: Any) -> SampleGap | None:
    """Compares the validation data of `fit` with the samples.

    Args:
        snapshot: `Snapshot`.

    Returns:
        `SampleGap`; None without validation data, or where they can be read only once.
    """
    if snapshot.validation is None:
        return None
    return sample_gap(snapshot.sample, snapshot.validation, tasks_of(snapshot))


@instrument("samples in fit against samples at hand")
def fit_gap(snapshot: Any) -> SampleGap | None:
    """Compares the samples at hand with those that `fit` itself got.

    Args:
        snapshot: `Snapshot`; `FitArguments.in_fit` has what `fit` got.

    Returns:
        `SampleGap` of the samples at hand against those in `fit`; None if these are not
        known apart.
    """
    given = snapshot.fit.in_fit
    if given is None or is_once(given):
        return None
    in_fit = take(given, model=snapshot.model)
    return sample_gap(in_fit, snapshot.sample, tasks_of(snapshot))


def tasks_of(snapshot: Any) -> list[str]:
    """What each output is for, in words."""
    return [view.task for view in snapshot.views()]


def sample_gap(first: Sample, second: Sample, tasks: Sequence[str] = ()) -> SampleGap:
    """The `SampleGap` of two samples of the same structure.

    It serves for validation data against training data, and for what an iterator gives
    to `fit` against samples at hand.

    Args:
        first: `Sample` of the training.
        second: `Sample`.
        tasks: What each output is for. By default whole numbers and one-hot rows are
            classes.

    Returns:
        `SampleGap`. What one of both lacks is left out.
    """
    inputs, labels, numbers = {}, {}, {}
    pairs = _pairs(first.x, second.x, "input")
    for name, one, two in pairs:
        gap = input_gap(one, two)
        if gap is not None:
            inputs[name] = gap
    for index, (name, one, two) in enumerate(_pairs(first.y, second.y, "output")):
        task = tasks[index] if index < len(tasks) else ""
        if not _are_classes(one, task):
            gap = input_gap(one, two)
            if gap is not None:
                numbers[name] = gap
            continue
        found = label_gap(one, two)
        if found.is_none and len(pairs) == 1:
            found = found._replace(order=_order(pairs[0], one, two))
        labels[name] = found
    return SampleGap(inputs, labels, numbers)


def _pairs(first: Any, second: Any, word: str) -> list[tuple[str, Any, Any]]:
    """`(name, array, array)` of each leaf that both have."""
    if first is None or second is None:
        return []
    if isinstance(first, dict):
        same = [name for name in first if name in second]
        found = [(name, first[name], second[name]) for name in same]
    else:
        leaves = [keras.tree.flatten(part) for part in (first, second)]
        names = [f"{word}_{i}" if i else word for i in range(len(leaves[0]))]
        found = list(zip(names, *leaves, strict=False))
    return [pair for pair in found if pair[1] is not None and pair[2] is not None]


def _are_classes(targets, task):
    if coding_of(targets) == "numbers" or "regression" in task:
        return False
    return len(np.unique(ids_of(targets))) <= MOST_CLASSES


def _order(inputs, targets, targets_2):
    ids, ids_2 = ids_of(targets), ids_of(targets_2)
    if ids.ndim != 1 or inputs[1].dtype.kind not in "biuf":
        return ()
    if inputs[1].shape[1:] != inputs[2].shape[1:]:
        return ()
    return order_of_classes(inputs[1], ids, inputs[2], ids_2)
