"""Whether the labels of a batch are more alike than those of shuffled batches."""

import itertools
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.data import as_array, label_batches
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.fit_arguments import BATCH
from keras_trainfix.diagnosis.measure.label_gap import coding_of, ids_of
from keras_trainfix.diagnosis.measure.learned import has_learned_classes
from keras_trainfix.diagnosis.observe.batches import is_once, of_output
from keras_trainfix.diagnosis.thresholds import LABELS_BETWEEN_BATCHES

FEWEST_BATCHES = 4
MOST_BATCHES = 256
FURTHEST = 1024  # batch in which another class is looked for
BESIDE = 16  # batches on both sides of where it begins
GAIN = 0.5  # half of the way to one class a batch: no sampler of few classes gets there


class SortedBatches(NamedTuple):
    """Labels between and within batches.

    Attributes:
        batches: Integer.
        classes: Integer, classes in all of them.
        ratio: Float, the variance of labels between batches over that within: F, about
            1 by chance.
        purity: Float, the mean share of the largest class of a batch.
        chance: Float, the same of shuffled batches.
    """

    batches: int
    classes: int
    ratio: float
    purity: float
    chance: float

    @property
    def gain(self) -> float:
        """How far the purity goes from that of chance, 0, to one class a batch, 1."""
        return (self.purity - self.chance) / max(1 - self.chance, 1e-12)


@instrument("labels between batches")
def sorted_batches(snapshot: Any) -> list[SortedBatches | None] | None:
    """Compares the labels of the batches that `fit` would get, for each output.

    Args:
        snapshot: `Snapshot`.

    Returns:
        List of `SortedBatches` or None, one for each output; None for arrays that `fit`
        shuffles, and without targets.
    """
    if not snapshot.has_targets:
        return None
    if snapshot.batches is not None:
        batches = [batch.y for batch in snapshot.batches.first]
        only = _only_class(batches)
        if only is not None and not is_once(snapshot.given.x):
            later = _next_class(snapshot, batches, only)
            batches = batches[-BESIDE:] + later
    elif snapshot.fit.shuffle or snapshot.given.y is None:
        return None
    else:
        batches = _cut(snapshot.given.y, snapshot.fit.batch_size or BATCH)
    answers: list[SortedBatches | None] = []
    for view in snapshot.views():
        leaves = [of_output(y, view) for y in batches]
        is_known = all(leaf is not None for leaf in leaves)
        is_known = is_known and view.task.endswith("classification")
        answers.append(compare_labels(leaves) if is_known else None)
    return answers


def _only_class(batches: list[Any]) -> int | None:
    """The class of all labels of a single output; None where there are others."""
    parts = [keras.tree.flatten(y) for y in batches]
    if any(len(y) != 1 or coding_of(y[0]) == "numbers" for y in parts):
        return None
    classes = np.unique(np.concatenate([ids_of(y[0]).ravel() for y in parts]))
    return int(classes[0]) if len(classes) == 1 else None


def _next_class(snapshot: Any, known: list[Any], only: int) -> list[Any]:
    """The labels of batches from the first with another class on; empty without one.

    A shuffled pipeline shows its classes at once, a sorted one after many batches.
    """
    steps = min(snapshot.fit.steps_per_epoch or FURTHEST, FURTHEST)
    later: list[Any] = []
    for y in itertools.islice(
        label_batches(snapshot.given.x, steps=steps), len(known), None
    ):
        y = keras.tree.map_structure(as_array, y)
        if later or _only_class([y]) != only:
            later.append(y)
        if len(later) == BESIDE:
            break
    return later


def comes_sorted(view: Any) -> SortedBatches | None:
    """The `SortedBatches` of an output whose labels come class by class, or None.

    It does not count for a model that has learned its classes nevertheless.

    Args:
        view: `OutputView`.
    """
    answers = sorted_batches(view.snapshot)
    seen = None if answers is None else answers[view.index]
    if seen is None or seen.ratio < LABELS_BETWEEN_BATCHES or seen.gain < GAIN:
        return None
    if view.iterations and has_learned_classes(view):
        return None
    return seen


def compare_labels(batches: list[np.ndarray]) -> SortedBatches | None:
    """The `SortedBatches` of the targets of batches.

    Args:
        batches: List of arrays, class ids or one-hot rows.

    Returns:
        `SortedBatches`; None for other targets, one class, or too few batches.
    """
    batches = [batch for batch in batches if len(batch) > 1]
    if len(batches) < FEWEST_BATCHES or any(
        coding_of(batch) == "numbers" for batch in batches
    ):
        return None
    ids = [ids_of(batch).ravel() for batch in batches]
    everything = np.concatenate(ids)
    classes, places = np.unique(everything, return_inverse=True)
    if len(classes) < 2 or len(classes) > len(everything) / 2:
        return None
    edges = np.cumsum([len(part) for part in ids])[:-1]
    counts = _counts(places, edges, len(classes))
    shuffled = np.random.default_rng(0).permutation(places)
    return SortedBatches(
        len(ids),
        len(classes),
        _ratio(counts),
        _purity(counts),
        _purity(_counts(shuffled, edges, len(classes))),
    )


def _counts(places, edges, classes):
    parts = np.split(places, edges)
    return np.stack([np.bincount(part, minlength=classes) for part in parts])


def _purity(counts):
    return float((counts.max(1) / counts.sum(1)).mean())


def _ratio(counts):
    """F of one-hot labels, of all classes together."""
    sizes = counts.sum(1, keepdims=True)
    total, shares = sizes.sum(), counts / sizes
    mean = counts.sum(0) / total
    between = (sizes * (shares - mean) ** 2).sum() / (len(counts) - 1)
    within = (sizes * shares * (1 - shares)).sum() / (total - len(counts))
    return float(between / max(within, 1e-3 * between, 1e-12))


def _cut(y, size):
    """Batches of all targets, or of some spread over them."""
    length = len(as_array(keras.tree.flatten(y)[0]))
    starts = np.arange(0, length, size)
    if len(starts) > MOST_BATCHES:
        starts = starts[np.linspace(0, len(starts) - 1, MOST_BATCHES).astype(int)]
    arrays = keras.tree.map_structure(
        lambda leaf: None if leaf is None else as_array(leaf), y
    )
    return [
        keras.tree.map_structure(
            lambda leaf: None if leaf is None else leaf[start : start + size],  # noqa: B023 - used at once
            arrays,
        )
        for start in starts
    ]
