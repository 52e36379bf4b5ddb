"""Treatments of the targets."""

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_trainfix.data import leaves, mapped
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.diagnosis.measure.image_pairs import MOVES

MOST_ORDERS = 5
FEWEST_PLACES = 2  # along an axis, more of which have an order


@treatment("outputs-swapped", 30, ("KTF148",))
def outputs_swapped(case: Case) -> Iterator[Variant]:
    """The targets of outputs of the same shape in another order."""
    y = case.training.train.y
    targets = leaves(y)
    if len(targets) < 2 or len(targets) != len(keras.tree.flatten(y)):
        return
    alike = [leaf.shape[1:] for leaf in targets]
    names = case.snapshot.names
    orders = (
        order
        for order in itertools.permutations(range(len(targets)))
        if order != tuple(range(len(targets)))
        and all(alike[i] == alike[j] for i, j in enumerate(order))
    )
    for order in itertools.islice(orders, MOST_ORDERS):
        words = ", ".join(names[i] for i in order)
        yield Variant(
            f"the targets in the order {words}",
            case.training.with_targets(functools.partial(_ordered, order=order)),
            f"# the targets belong to other outputs: pass them in the order {words}",
        )


@treatment("targets-exchanged", 31, ("KTF149", "KTF509"))
def targets_exchanged(case: Case) -> Iterator[Variant]:
    """0 and 1 exchanged, where the loss may mean the other one."""
    targets = leaves(case.training.train.y)
    views = case.snapshot.views()
    if len(targets) != 1 or views[0].loss.kind not in ("custom", "hinge", "none"):
        return
    if targets[0].size != len(targets[0]):
        return
    values = np.unique(targets[0])
    if len(values) != 2 or set(values.tolist()) not in ({0, 1}, {-1, 1}):
        return
    total = values.sum()
    yield Variant(
        f"the targets {values[0]:g} and {values[1]:g} exchanged",
        case.training.with_targets(
            lambda y: mapped(lambda leaf: (total - leaf).astype(leaf.dtype), y)
        ),
        f"y = {total:g} - y",
    )


@treatment("targets-turned", 35, ("KTF140",))
def targets_turned(case: Case) -> Iterator[Variant]:
    """Steps of a sequence, or rows and columns of a map, the other way round."""
    views = case.snapshot.views()
    targets = leaves(case.training.train.y)
    if len(targets) != 1 or len(views) != 1:
        return
    answers = views[0].predictions
    places = [
        axis
        for axis in range(1, min(targets[0].ndim, answers.ndim))
        if axis != views[0].class_axis
        and targets[0].shape[axis] == answers.shape[axis] > FEWEST_PLACES
    ]
    if answers.ndim < 3:
        return
    for finding in case.findings:
        if finding.code == "KTF140":  # which says how the masks were moved
            move = MOVES.get(finding.evidence["move"])
            if move is not None:
                words = f"the masks {finding.evidence['move']}"
                moved = functools.partial(mapped, move)
                yield Variant(words, case.training.with_targets(moved), finding.fix)
            return
    for axis in places:
        slices = (*[slice(None)] * axis, slice(None, None, -1))
        yield Variant(
            f"the targets reversed along axis {axis}",
            case.training.with_targets(functools.partial(_sliced, slices=slices)),
            f"y = np.flip(y, {axis})",
        )


@treatment("targets-standardized", 33, ("KTF111",))
def targets_standardized(case: Case) -> Iterator[Variant]:
    """The numbers of regressions with mean 0 and variance 1."""
    views = case.snapshot.views()
    targets = leaves(case.training.train.y)
    if len(targets) != len(views):
        return
    if not all(view.task == "regression" for view in views):
        return
    if any(view.head.activation != "linear" for view in views):
        return
    statistics = [
        (t.mean(0, dtype="float64"), t.std(0, dtype="float64")) for t in targets
    ]
    y = case.training.train.y

    def scaled(structure: Any) -> Any:
        pairs = zip(leaves(structure), statistics, strict=True)
        new = [
            ((leaf - mean) / np.where(spread > 0, spread, 1)).astype("float32")
            for leaf, (mean, spread) in pairs
        ]
        return keras.tree.pack_sequence_as(y, new)

    yield Variant(
        "the targets standardized",
        case.training.with_targets(scaled),
        "mean, std = y.mean(axis=0), y.std(axis=0)\n"
        "y = (y - mean) / std  # and later: model.predict(x) * std + mean",
        lambda mended: mended.put_at_end([_scale(*pair) for pair in statistics]),
    )


def _scale(mean: np.ndarray, spread: np.ndarray) -> keras.layers.Layer:
    """The layer that puts the scale of targets back."""
    spread = np.where(spread > 0, spread, 1.0)
    return keras.layers.Rescaling(spread.tolist(), mean.tolist())


def _sliced(y: Any, slices: tuple[slice, ...]) -> Any:
    return mapped(lambda leaf: np.ascontiguousarray(leaf[slices]), y)


def _ordered(y: Any, order: tuple[int, ...]) -> Any:
    targets = leaves(y)
    return keras.tree.pack_sequence_as(y, [targets[i] for i in order])
