"""Treatments of the inputs."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_trainfix.data import leaves, mapped
from keras_trainfix.diagnosis.experiments.in_place import with_attributes
from keras_trainfix.diagnosis.experiments.instruments.masked_inside import (
    masked_inside,
    within,
)
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.models.batch_norm_layers import all_layers

TINY = 1e-7


@treatment(
    "inputs-standardized",
    40,
    ("KTF101", "KTF404", "KTF405", "KTF406", "KTF150"),  # 0 is no longer masked
)
def standardized(case: Case) -> Iterator[Variant]:
    """Inputs with mean 0 and variance 1, by feature or channel."""
    if _has_ids(case):
        return
    statistics = mapped(_statistics, case.training.train.x)
    if all(pair is None for pair in _pairs(statistics)):
        return
    yield Variant(
        "the inputs standardized",
        case.training.with_inputs(lambda x: _standardized(x, statistics)),
        "x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-7)",
        lambda mended: mended.put_in_front(_normalization(statistics)),
    )


@treatment("inputs-rescaled", 41, ("KTF133",))
def rescaled(case: Case) -> Iterator[Variant]:
    """A second scaling by 255 undone, or one made."""
    if _has_ids(case):
        return
    largest = max(_largest(leaf) for leaf in leaves(case.training.train.x))
    if not all(leaf.ndim > 2 for leaf in leaves(case.training.train.x)):
        return
    if 0 < largest <= 1.5:
        factor, words, code = 255.0, "times 255", "x = x * 255"
    elif 100 < largest <= 255:
        factor, words, code = 1 / 255, "divided by 255", "x = x / 255"
    else:
        return
    yield Variant(
        f"the inputs {words}",
        case.training.with_inputs(
            lambda x: mapped(lambda leaf: (leaf * factor).astype("float32"), x)
        ),
        code,
        lambda mended: mended.put_in_front(keras.layers.Rescaling(factor)),
    )


@treatment("inputs-regrouped", 38)
def regrouped(case: Case) -> Iterator[Variant]:
    """A `reshape` of channels and steps undone, where a transpose was meant."""
    inputs = leaves(case.training.train.x)
    if len(inputs) != 1 or inputs[0].ndim != 3 or inputs[0].dtype.kind != "f":
        return
    steps, channels = inputs[0].shape[1:]
    if 1 in (steps, channels):
        return

    def regroup(leaf: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(
            leaf.reshape(len(leaf), channels, steps).swapaxes(1, 2)
        )

    yield Variant(
        f"the inputs read as {channels} channels of {steps} steps, and transposed",
        case.training.with_inputs(lambda x: mapped(regroup, x)),
        f"x = x.reshape(len(x), {channels}, {steps}).swapaxes(1, 2)",
    )


@treatment("padding-masked", 32, ("KTF427",))
def padding_masked(case: Case) -> Iterator[Variant]:
    """Padding masked by the embedding."""
    layers = [
        layer
        for layer in all_layers(case.training.model)
        if isinstance(layer, keras.layers.Embedding) and not layer.mask_zero
    ]
    x = leaves(case.training.train.x)
    if not layers or not any(leaf.ndim == 2 and _is_padded(leaf) for leaf in x):
        return
    changes = [
        (layer, name, True)
        for layer in layers
        for name in ("mask_zero", "supports_masking")
    ]
    names = ", ".join(repr(layer.name) for layer in layers)
    yield Variant(
        f"the padding masked by {names}",
        case.training.changed(with_attributes(changes)),
        "# keras.layers.Embedding(..., mask_zero=True)",
        lambda mended: mended.set(changes),
    )


@treatment("padding-alone-masked", 29, ("KTF150",))
def padding_alone_masked(case: Case) -> Iterator[Variant]:
    """Padding of a value that the data do not have, where a mask hides real steps."""
    layers = [
        one.layer
        for one in masked_inside(case.snapshot) or ()
        if isinstance(one.layer, keras.layers.Masking)
    ]
    x = leaves(case.training.train.x)
    if len(layers) != 1 or len(x) != 1 or x[0].ndim != 3 or x[0].dtype.kind != "f":
        return
    old, new = layers[0].mask_value, float(np.floor(x[0].min())) - 1

    def padded(leaf: np.ndarray) -> np.ndarray:
        inside = within((leaf != old).any(-1))
        return np.where(inside[..., None], leaf, new).astype(leaf.dtype)

    training = case.training.with_inputs(lambda structure: mapped(padded, structure))
    yield Variant(
        f"padding of {new:g}, which the data do not have, and a mask of it",
        training.changed(with_attributes([(layers[0], "mask_value", new)])),
        f"# pad with {new:g}, and mask it: keras.layers.Masking({new:g})",
    )


@treatment("padding-in-front", 34, ("KTF427",))
def padding_in_front(case: Case) -> Iterator[Variant]:
    """Trailing zeros of sequences of ids moved in front."""
    x = leaves(case.training.train.x)
    padded = [leaf.ndim == 2 and _is_padded(leaf) for leaf in x]
    if not any(padded):
        return

    def moved(structure: Any) -> Any:
        return mapped(
            lambda leaf: _rolled(leaf) if leaf.ndim == 2 and _is_padded(leaf) else leaf,
            structure,
        )

    yield Variant(
        "the padding in front of the tokens",
        case.training.with_inputs(moved),
        "# mask the padding: keras.layers.Embedding(..., mask_zero=True)\n"
        "# or pad in front: keras.utils.pad_sequences(x, padding='pre')",
    )


def _has_ids(case):
    kinds = (keras.layers.Embedding,)
    numbers = all(leaf.dtype.kind in "biuf" for leaf in leaves(case.training.train.x))
    return not numbers or any(
        isinstance(layer, kinds) for layer in all_layers(case.training.model)
    )


def _statistics(leaf):
    axes = tuple(range(leaf.ndim - 1)) if leaf.ndim > 2 else 0
    numbers = leaf.astype("float64")
    with np.errstate(all="ignore"):
        mean, spread = numbers.mean(axes), numbers.std(axes)
    if not np.isfinite(mean).all() or not np.isfinite(spread).all():
        return np.array([0.0, 1.0])
    return np.stack([mean, np.where(spread > TINY, spread, 1.0)])


def _pairs(statistics):
    return leaves(statistics)


def _normalization(statistics: Any) -> keras.layers.Layer:
    """The layer that does the same to a single input."""
    (pair,) = leaves(statistics)
    return keras.layers.Normalization(mean=pair[0], variance=pair[1] ** 2)


def _standardized(x, statistics):
    return keras.tree.map_structure(
        lambda leaf, pair: ((leaf - pair[0]) / pair[1]).astype("float32"), x, statistics
    )


def _largest(leaf):
    return float(np.abs(leaf).max(initial=0)) if leaf.dtype.kind in "iuf" else np.inf


def _is_padded(ids):
    """Whether most rows of non-negative integers end with zeros."""
    whole = ids.dtype.kind in "iu" or (ids == np.round(ids)).all()
    if not whole or ids.shape[1] < 4 or ids.min() < 0 or ids.max() < 3:
        return False
    ends = (ids[:, -1] == 0).mean() > 0.5
    return bool(ends and (ids[:, 0] != 0).mean() > 0.9)


def _rolled(ids):
    lengths = ids.shape[1] - (ids[:, ::-1] != 0).argmax(1)
    rows = [np.roll(row, -length) for row, length in zip(ids, lengths, strict=True)]
    return np.stack(rows)
