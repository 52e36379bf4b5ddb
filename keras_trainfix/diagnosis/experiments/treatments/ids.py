"""Treatments of ids that count from another number."""

import functools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_trainfix.data import leaves, mapped
from keras_trainfix.diagnosis.experiments.instruments.masked_inside import share_inside
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.models.batch_norm_layers import all_layers

BY_ID = ("sparse", "custom", "masked")  # losses that may read ids


@treatment("target-ids-shifted", 36)
def target_ids_shifted(case: Case) -> Iterator[Variant]:
    """Class ids one higher or one lower, for a trained model or a loss of the user.

    To a new model with a loss of Keras all ids are alike.
    """
    views, targets = case.snapshot.views(), leaves(case.training.train.y)
    if len(views) != 1 or len(targets) != 1 or views[0].loss.kind not in BY_ID:
        return
    if views[0].loss.kind != "custom" and not case.snapshot.iterations:
        return
    ids, answers = targets[0], views[0].predictions
    units = answers.shape[views[0].class_axis]
    labels = answers[0].size // units  # of a sample
    if units < 2 or not _are_ids(ids) or ids[0].size != labels:
        return
    for shift in (1, -1):
        if ids.min() + shift < 0 or ids.max() + shift >= units:
            continue
        yield Variant(
            f"the class ids {shift:+d}",
            case.training.with_targets(functools.partial(_shifted, by=shift)),
            f"y = y {'+' if shift > 0 else '-'} 1",
        )


@treatment("token-ids-shifted", 37, ("KTF150",))
def token_ids_shifted(case: Case) -> Iterator[Variant]:
    """Token ids one higher, where 0 is a token that the embedding masks."""
    embeddings = [
        layer
        for layer in all_layers(case.training.model)
        if isinstance(layer, keras.layers.Embedding) and layer.mask_zero
    ]
    x = leaves(case.training.train.x)
    if not embeddings or len(x) != 1 or not _are_ids(x[0]) or x[0].ndim != 2:
        return
    room = min(layer.input_dim for layer in embeddings)
    if x[0].max() + 1 >= room or not share_inside(x[0] != 0):
        return
    yield Variant(
        "the token ids +1",
        case.training.with_inputs(lambda structure: _shifted(structure, 1)),
        "x = x + 1  # 0 is padding where `mask_zero=True`",
    )


def _shifted(structure: Any, by: int) -> Any:
    return mapped(lambda leaf: (leaf + by).astype(leaf.dtype), structure)


def _are_ids(array: np.ndarray) -> bool:
    is_number = array.dtype.kind in "iuf" and array.size > 0
    return bool(is_number and array.min() >= 0 and (array == np.round(array)).all())
