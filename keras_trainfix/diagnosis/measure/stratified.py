"""Held-out samples with the same mix of classes as the others."""

from collections.abc import Mapping

import numpy as np

from keras_trainfix.diagnosis.measure.label_gap import coding_of, ids_of

MOST_IDS, SHARE = 20, 0.05  # different ids; more are numbers, unless of many samples
FEW_OF_CLASS = 10  # rows: a share of so few has a standard error of up to 0.16
MOST_NAMED = 3


def classes_of(targets: np.ndarray) -> np.ndarray | None:
    """The classes that each sample has.

    Args:
        targets: Array `(N, ...)`: class ids, one-hot or multi-hot rows, of a sample as
            a whole or of each of its places.

    Returns:
        Boolean array `(N, classes)`, or None for numbers.

    Examples:
        >>> classes_of(np.array([3, 5])).tolist()
        [[True, False], [False, True]]
        >>> classes_of(np.array([0.5, 1.5])) is None
        True
    """
    targets = np.asarray(targets)
    if targets.ndim == 2 and targets.shape[1] > 1 and _is_binary(targets):
        return targets.astype(bool)
    if targets.ndim > 2 and _is_binary(targets):
        targets = targets if coding_of(targets) == "numbers" else ids_of(targets)
    elif coding_of(targets) == "numbers" and not _is_whole(targets):
        return None
    ids = targets.reshape(len(targets), -1)
    values = np.unique(ids)
    if len(values) > max(MOST_IDS, SHARE * ids.size):
        return None
    return np.stack([(ids == value).any(1) for value in values], 1)


def stratified(
    classes: np.ndarray, every: int, keys: np.ndarray | None = None
) -> np.ndarray:
    """Which samples to hold out, so that each class is in both parts.

    Samples are ordered by the rarest class that they have, and one of every few is held
    out. A class of at least two samples that is then missing in a part gets one there.

    Args:
        classes: Boolean array `(N, classes)`; without columns, `keys` alone decide.
        every: Integer, of how many samples one is held out.
        keys: Array `(N,)` that orders samples of the same class. Defaults to a random
            order, the same in every call.

    Returns:
        Boolean array `(N,)`.

    Examples:
        >>> classes = np.repeat(np.eye(2, dtype=bool), [98, 2], axis=0)
        >>> held_out = stratified(classes, 4)
        >>> int(held_out.sum()), classes[held_out].any(0), classes[~held_out].any(0)
        (25, array([ True,  True]), array([ True,  True]))

    Reference:

    - [Sechidis et al., 2011](https://doi.org/10.1007/978-3-642-23808-6_10)
    """
    length = len(classes)
    order = np.random.default_rng(0).permutation(length)
    for key in (keys, _rarest(classes)):
        if key is not None:
            order = order[np.argsort(key[order], kind="stable")]
    held_out = np.zeros(length, bool)
    held_out[order[every // 2 :: every]] = True
    if 2 * classes.shape[1] > held_out.sum():
        return held_out  # so many classes that few samples cannot have them all
    for number in np.argsort(classes.sum(0), kind="stable"):
        for part in (True, False):
            _give_one(held_out, classes, number, part)
    return held_out


def few_of(counts: Mapping[int, int]) -> str:
    """Which classes have few samples, in words; empty if none has.

    Args:
        counts: The number of samples of each class.

    Examples:
        >>> few_of({0: 61, 1: 3})
        '3 of class 1'
    """
    few = [(one, n) for one, n in counts.items() if 0 < n < FEW_OF_CLASS]
    return ", ".join(f"{n} of class {one}" for one, n in few[:MOST_NAMED])


def _is_binary(targets):
    return targets.dtype.kind in "biuf" and bool(np.isin(targets, (0, 1)).all())


def _is_whole(targets):
    with np.errstate(invalid="ignore"):
        is_number = targets.dtype.kind in "biuf" and targets.size
        return bool(is_number and (targets == np.floor(targets)).all())


def _rarest(classes):
    """The number of the rarest class of each sample; `classes` where it has none."""
    if not classes.shape[1]:
        return None
    counts = np.where(classes, classes.sum(0), len(classes) + 1)
    return np.where(classes.any(1), counts.argmin(1), classes.shape[1])


def _give_one(held_out, classes, number, part):
    """Moves a sample of a class into the part that has none, in place."""
    rows = np.flatnonzero(classes[:, number])
    if len(rows) < 2 or (held_out[rows] == part).any():
        return
    left = classes[held_out != part].sum(0)
    for row in rows:
        if (left[classes[row]] > 1).all():  # its other classes stay where they are
            held_out[row] = part
            return
