"""What a running `fit` was given, as far as it can be read without harm."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_trainfix.callbacks.collapse.samples import MisfitError
from keras_trainfix.data import inputs, is_array, leaves
from keras_trainfix.diagnosis.fit_arguments import FitArguments, listed
from keras_trainfix.diagnosis.measure.row_keys import row_keys
from keras_trainfix.diagnosis.observe.batches import is_once
from keras_trainfix.diagnosis.observe.sample import Sample, take
from keras_trainfix.keras_internals import arguments_of_fit

FEWEST = 64  # samples of `fit` that are compared with those at hand
NUMBERS = ("epochs", "batch_size", "steps_per_epoch", "initial_epoch", "shuffle")


def running_fit(
    model: keras.Model, probe: Any, sample: Sample, planned_steps: int | None = None
) -> FitArguments:
    """The `FitArguments` of the `fit` that runs, those of a plain one outside it.

    Iterators are not touched: `fit` would miss what is read from them.

    Args:
        model: The model in training.
        probe: What the samples were taken from.
        sample: The `Sample` at hand.
        planned_steps: Integer, all steps that `fit` makes; None if that is not known.
    """
    given = arguments_of_fit(model)
    weights = given.get("class_weight")
    validation = _held_out(given, probe, sample)
    known = {n: given[n] for n in NUMBERS if isinstance(given.get(n), int)}
    return FitArguments(
        class_weight=weights if isinstance(weights, Mapping) else None,
        validation_data=validation,
        validation_split=_share(given, probe),
        in_fit=_arrays_of_fit(given, probe),
        callbacks=listed(given.get("callbacks")),
        # A single epoch may be one of many calls, which continue each other.
        planned_steps=planned_steps if known.get("epochs", 1) > 1 else None,
        **known,
    )


def samples_of_fit(model: keras.Model) -> Any:
    """The data of the `fit` that runs to watch a model with, if no others were given.

    Args:
        model: The model in training.

    Returns:
        The validation data, also those that `validation_split` cuts off; or the arrays
        of the training.

    Raises:
        MisfitError: If `fit` gets its data from an iterator that is read only once.
    """
    given = arguments_of_fit(model)
    held_out = given.get("validation_data")
    if held_out is not None and not is_once(held_out):
        return tuple(held_out) if isinstance(held_out, list) else held_out
    x, y = given.get("x"), given.get("y")
    if x is None or y is None or not all(map(is_array, leaves([x, y]))):
        raise MisfitError(
            "`probe` must be given where `fit` has neither validation data nor arrays: "
            "`CollapseDetector((x, y))`, with up to 256 samples."
        )
    return x, y, given.get("sample_weight")


def _share(given, probe):
    """The `validation_split`, if the samples are from the arrays before the cut."""
    share, x = given.get("validation_split"), inputs(probe)
    parts = leaves([x, given.get("x")])
    if not share or x is None or not all(map(is_array, parts)):
        return 0.0
    is_whole = int(np.floor(len(parts[0]) * (1 - share))) == len(parts[-1])
    return share if is_whole else 0.0


def _arrays_of_fit(given, probe):
    """`(x, y)` of `fit`, if they are arrays and not those of the samples."""
    x, y = given.get("x"), given.get("y")
    parts = leaves([x, y])
    if x is None or y is None or inputs(probe) is x or not all(map(is_array, parts)):
        return None
    return (x, y) if len(leaves(x)[0]) >= FEWEST else None


def _held_out(given, probe, sample):
    """Validation data, if they are arrays and the samples are not from them."""
    data = given.get("validation_data")
    if not isinstance(data, (tuple, list)) or given.get("validation_split"):
        return None
    if not data or not all(map(is_array, leaves(data))):
        return None
    if inputs(probe) is given.get("x"):
        return data
    try:
        held_out = set(row_keys(take(tuple(data)).x).tolist())
        is_shared = not held_out.isdisjoint(row_keys(sample.x).tolist())
    except (ValueError, TypeError):  # they cannot be compared
        return None
    return None if is_shared else data
