"""Whether inputs predict the targets of other rows, and not their own."""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.data import as_array, leaves, mapped
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.measure.file_orders import FileOrder, file_orders
from keras_trainfix.diagnosis.measure.label_gap import coding_of, ids_of
from keras_trainfix.diagnosis.measure.linear_and_knn import ridge
from keras_trainfix.diagnosis.observe.batches import of_output
from keras_trainfix.diagnosis.observe.sample import joined

ROWS = 400
FEWEST = 60
OFFSETS = 8
STRIDES = (2, 3)
PENALTIES = (0.01, 0.3)  # where a row has similarity 1 with itself
MOST_FEATURES = 1024
MOST_COLUMNS = 12
FEWEST_OF_CLASS = 10
SPREAD = 0.5  # of the targets of a pairing, over that of all
MOST_COMPARED = 256
REPEATED = 0.8  # correlation of a feature with another one of the row before
TURNED = "reversed within its batch"
ALIKE = 0.15  # mean similarity of neighboring rows: then they are a series, or sorted


class Pairing(NamedTuple):
    """The pairing of rows under which inputs predict targets best.

    Attributes:
        as_given: Float, R2 of a ridge regression on held-out rows, as the rows are.
        best: Float, the same for the best other pairing.
        rows: String, the row of the target for the inputs of row `i`: `"i + 1"`, or
            the words of a `FileOrder`.
        samples: Integer.
        order: The `FileOrder`, if the best one is of that kind.
    """

    as_given: float
    best: float
    rows: str
    samples: int
    order: FileOrder | None = None

    @property
    def gain(self) -> float:
        """How much better the other pairing is."""
        return self.best - max(self.as_given, 0.0)

    @property
    def which(self) -> str:
        """The row in words."""
        is_number = self.order is None
        return f"row {self.rows}" if is_number else f"another row, {self.rows}"

    @property
    def code(self) -> str:
        """What the user pastes to pair the rows so."""
        if self.order is not None:
            return self.order.code
        if self.rows == TURNED:
            return "def paired(x, y):  # of a batch\n    return x, y[::-1]"
        return (
            f"rows = np.array([{self.rows} for i in range(len(x))])\n"
            "kept = (rows >= 0) & (rows < len(y))\n"
            "x, y = x[kept], y[rows[kept]]"
        )


@instrument("other pairings of rows")
def other_pairings(snapshot: Any) -> list[Pairing | None] | None:
    """Tries other rows of the targets for the inputs, for each output.

    Args:
        snapshot: `Snapshot`.

    Returns:
        List of `Pairing` or None, one for each output; None without targets.
    """
    if not snapshot.has_targets:
        return None
    ordered = rows_in_order(snapshot, ROWS)
    if ordered is None:
        return None
    x, y, sizes = ordered
    features = features_of(leaves(x))
    if features is None:
        return None
    found: list[Pairing | None] = []
    for view in snapshot.views():
        targets = of_output(y, view)
        found.append(
            None if targets is None else try_pairings(features, targets, sizes)
        )
    return found


def rows_in_order(snapshot: Any, most: int) -> tuple[Any, Any, tuple[int, ...]] | None:
    """The first rows of the inputs in the user's order, and all targets.

    Args:
        snapshot: `Snapshot` with targets.
        most: Integer, how many rows of the inputs.

    Returns:
        `(x, y, sizes)`, with the sizes of the batches that the rows came in; `()` where
        they are arrays. None without targets beside the inputs.
    """
    sizes: tuple[int, ...] = ()
    if snapshot.batches is not None:
        first = snapshot.batches.first
        sizes = tuple(len(leaves(batch.x)[0]) for batch in first)
        sample = joined(first, sum(sizes))
        if len(leaves(sample.x)[0]) < sum(sizes):  # some shapes differ
            sizes = ()
        x, y = sample.x, sample.y
    elif snapshot.given.y is not None:
        x, y = snapshot.given.x, mapped(as_array, snapshot.given.y)
    else:
        return None
    return mapped(lambda leaf: as_array(leaf[:most]), x), y, sizes


def features_of(arrays: list[np.ndarray]) -> np.ndarray | None:
    """Standardized features `(N, F)` of inputs; None for text, or too few rows."""
    if any(a.dtype.kind not in "biuf" for a in arrays) or len(arrays[0]) < FEWEST:
        return None
    rows = np.concatenate([a.reshape(len(a), -1) for a in arrays], 1)
    rows = rows[:, :: -(-rows.shape[1] // MOST_FEATURES)].astype("float64")
    rows = np.nan_to_num(rows, posinf=0, neginf=0)
    spread = rows.std(0)
    rows = (rows - rows.mean(0))[:, spread > 1e-9] / spread[spread > 1e-9]
    return np.clip(rows, -5, 5) if rows.shape[1] else None


def try_pairings(
    features: np.ndarray, targets: np.ndarray, sizes: tuple[int, ...] = ()
) -> Pairing | None:
    """The best `Pairing` of features with targets.

    Args:
        features: Array `(N, F)`, the first rows.
        targets: Array of at least as many rows.
        sizes: Sizes of the batches that the rows came in, if they did.

    Returns:
        `Pairing`; None for a series or sorted rows, where neighbors are alike, and for
        targets that are no numbers.
    """
    columns = _columns(targets)
    if columns is None or len(columns) < len(features):
        return None
    similarity = features @ features.T / features.shape[1]
    size = max(float(np.trace(similarity)) / len(similarity), 1e-12)
    similarity = similarity / size
    if np.diag(similarity, 1).mean() > ALIKE or _are_windows(features):
        return None
    pairings = pairings_of(len(features), len(columns), sizes)
    orders = {} if sizes else {one.words: one for one in file_orders(len(columns))}
    pairings |= {name: one.rows[: len(features)] for name, one in orders.items()}
    groups: dict[int, list[str]] = {}
    for name, rows in pairings.items():
        groups.setdefault(len(rows), []).append(name)
    scores = {}
    for length, names in groups.items():
        part = similarity[:length, :length]
        part = part - part.mean(0) - part.mean(1)[:, None] + part.mean()
        learners = [ridge(part, penalty, 1) for penalty in PENALTIES]
        for name in names:
            wanted = columns[pairings[name]]
            wanted = wanted - wanted.mean(0)
            if wanted.var() < SPREAD * columns.var(0).mean():  # some rows, one class
                continue
            errors = [((wanted - one @ wanted) ** 2).sum() for one in learners]
            scores[name] = float(1 - min(errors) / max((wanted**2).sum(), 1e-12))
    if len(scores) < 2 or "i" not in scores:
        return None
    as_given = scores.pop("i")
    best = max(scores, key=scores.__getitem__)
    return Pairing(as_given, scores[best], best, len(features), orders.get(best))


def _are_windows(features):
    """Whether a feature of a row repeats another one of the row before."""
    some = features[:, :: -(-features.shape[1] // MOST_COMPARED)]
    products = np.abs(some[1:].T @ some[:-1]) / len(some)
    np.fill_diagonal(products, 0)
    return products.max() > REPEATED


def pairings_of(
    length: int, available: int, sizes: tuple[int, ...] = ()
) -> dict[str, np.ndarray]:
    """Rows of the targets, by a name for the row that belongs to row `i`.

    Args:
        length: Integer, how many rows the inputs have.
        available: Integer, how many the targets have.
        sizes: Sizes of the batches that the rows came in, if they did.

    Returns:
        Dict of arrays of integers, one for each of the first rows.
    """
    one = np.arange(length)
    found = {"i": one}
    for offset in (*range(-OFFSETS, 0), *range(1, OFFSETS + 1)):
        sign = "+" if offset > 0 else "-"
        found[f"i {sign} {abs(offset)}"] = (one + offset) % available
    found["len(y) - 1 - i"] = available - 1 - one
    for stride in STRIDES:
        for offset in range(stride):
            rows = stride * one + offset
            plus = f" + {offset}" if offset else ""
            found[f"{stride} * i{plus}"] = rows[rows < available]
        found[f"i // {stride}"] = one // stride
    if sizes:
        starts = np.concatenate([[0], np.cumsum(sizes)])[:-1]
        ends = np.repeat(starts + np.array(sizes) - 1, sizes)
        firsts = np.repeat(starts, sizes)
        found[TURNED] = (firsts + ends)[:length] - one
    return {name: rows for name, rows in found.items() if len(rows) >= FEWEST}


def _columns(targets):
    """Columns of numbers, or one-hot classes with enough samples."""
    if targets.dtype.kind not in "biuf" or not np.isfinite(targets).all():
        return None
    if coding_of(targets) != "numbers":
        ids = ids_of(targets).reshape(len(targets), -1)
        classes, counts = np.unique(ids[:, 0], return_counts=True)
        if ids.shape[1] > 1:
            return None
        if len(classes) <= MOST_COLUMNS or counts.mean() >= FEWEST_OF_CLASS:
            kept = classes[counts >= FEWEST_OF_CLASS][:MOST_COLUMNS]
            return (ids == kept).astype("float64") if len(kept) > 1 else None
    rows = targets.reshape(len(targets), -1).astype("float64")[:, :MOST_COLUMNS]
    spread = rows.std(0)
    rows = (rows - rows.mean(0))[:, spread > 0] / spread[spread > 0]
    return np.clip(rows, -3, 3) if rows.shape[1] else None
