"""How the targets of two sets of samples differ: coding, ids, classes, scale."""

from typing import NamedTuple

import numpy as np

CHANCE = 1e-4  # that a class is missing although it is as common in both
NEIGHBORS = 5
FEWEST = 30  # samples that show the order of classes
RIGHT = 0.7  # accuracy under another order of classes
GAIN = 0.4  # of that accuracy over the one under the order as given
MOST_FEATURES = 4096


class LabelGap(NamedTuple):
    """Second targets against first ones.

    Attributes:
        codings: Pair of strings, how targets are written: `"one-hot rows"`,
            `"class ids"` or `"numbers"`.
        offset: Integer, what is added to the ids of the first; 0 for the same ids.
        only_first: List of classes that only the first have.
        only_second: List of classes that only the second have.
        order: Dict from each class of the first to that of the second whose inputs look
            the same; empty if all classes are themselves.
    """

    codings: tuple[str, str]
    offset: int = 0
    only_first: tuple[int, ...] = ()
    only_second: tuple[int, ...] = ()
    order: tuple[tuple[int, int], ...] = ()

    @property
    def is_none(self) -> bool:
        """Whether both are alike."""
        parts = (self.offset, self.only_first, self.only_second, self.order)
        return self.codings[0] == self.codings[1] and not any(parts)


def coding_of(targets: np.ndarray) -> str:
    """How targets are written: `"one-hot rows"`, `"class ids"` or `"numbers"`."""
    if targets.dtype.kind not in "biuf" or not targets.size:
        return "numbers"
    if targets.ndim > 1 and targets.shape[-1] > 1:
        is_binary = np.isin(targets, (0, 1)).all()
        is_one_hot = is_binary and (targets.sum(-1) == 1).all()
        return "one-hot rows" if is_one_hot else "numbers"
    return "class ids" if np.all(targets == np.round(targets)) else "numbers"


def ids_of(targets: np.ndarray) -> np.ndarray:
    """Class ids of targets that are written as ids or one-hot rows, one axis less."""
    if coding_of(targets) == "one-hot rows":
        return targets.argmax(-1)
    ids = np.round(targets).astype("int64")
    return ids[..., 0] if ids.ndim > 1 and ids.shape[-1] == 1 else ids


def label_gap(first: np.ndarray, second: np.ndarray) -> LabelGap:
    """The `LabelGap` of targets of a classification, without the order of classes."""
    codings = coding_of(first), coding_of(second)
    if "numbers" in codings:
        return LabelGap(codings)
    one, two = (np.ravel(ids_of(targets)) for targets in (first, second))
    lowest, highest = np.array([(ids.min(), ids.max()) for ids in (one, two)]).T
    offset = int(lowest[1] - lowest[0])
    is_moved = offset and highest[1] - highest[0] == offset and len(np.unique(one)) > 2
    if codings[0] == codings[1] and is_moved:
        return LabelGap(codings, offset)
    return LabelGap(
        codings, 0, _missing(one, two, len(second)), _missing(two, one, len(first))
    )


def order_of_classes(
    x: np.ndarray, ids: np.ndarray, x_2: np.ndarray, ids_2: np.ndarray
) -> tuple[tuple[int, int], ...]:
    """Which class of the second samples looks like which class of the first.

    Args:
        x: Array `(N, ...)`, inputs of the first samples.
        ids: Integer array `(N,)`.
        x_2: Array `(M, ...)`, inputs of the second samples.
        ids_2: Integer array `(M,)`.

    Returns:
        Tuple of pairs `(first, second)`, if another order of the classes fits well and
        the one as given does not; else empty.
    """
    rows, rows_2 = (_features(array) for array in (x, x_2))
    if len(ids_2) < FEWEST or len(ids) < FEWEST or rows.shape[1] != rows_2.shape[1]:
        return ()
    mean, spread = rows.mean(0), rows.std(0)
    spread = np.where(spread > 1e-6, spread, 1)
    rows, rows_2 = (rows - mean) / spread, (rows_2 - mean) / spread
    distances = (rows**2).sum(1) - 2 * rows_2 @ rows.T
    near = np.argpartition(distances, NEIGHBORS, axis=1)[:, :NEIGHBORS]
    classes = np.union1d(ids, ids_2)
    votes = (ids[near][:, :, None] == classes).sum(1)
    seen = classes[votes.argmax(1)]
    counts = (seen[:, None, None] == classes[:, None]) & (
        ids_2[:, None, None] == classes
    )
    counts = counts.sum(0)  # of each class seen, and each label
    partner = counts.argmax(1)
    occurring = counts.sum(1) > 0
    if len(set(partner[occurring])) < occurring.sum():
        return ()
    right = counts[occurring, partner[occurring]].sum() / len(ids_2)
    if right < RIGHT or right - np.trace(counts) / len(ids_2) < GAIN:
        return ()
    places = np.flatnonzero(occurring & (partner != np.arange(len(classes))))
    return tuple((int(classes[i]), int(classes[partner[i]])) for i in places)


def _missing(ids, others, samples):
    """Classes of `ids` that `others`, of so many samples, lack beyond chance."""
    classes, counts = np.unique(ids, return_counts=True)
    shares = counts / counts.sum()
    lacking = ~np.isin(classes, others) & ((1 - shares) ** samples < CHANCE)
    return tuple(classes[lacking].tolist())


def _features(x):
    rows = np.asarray(x, "float32").reshape(len(x), -1)
    step = -(-rows.shape[1] // MOST_FEATURES)
    return np.nan_to_num(rows[:, ::step]).astype("float64")
