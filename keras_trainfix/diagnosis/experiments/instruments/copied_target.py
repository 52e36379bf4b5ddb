"""Is the target among the inputs?"""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.diagnosis.experiments.answers import (
    FEW,
    FEWEST,
    Input,
    answers_to,
    inputs_of,
    movement,
    replaced,
    some,
)
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.snapshot import OutputView, Snapshot

FEWEST_VALUES = 10  # distinct numbers of a column that are no classes
FEWEST_OF_CLASS = 3
LEAST_OVERLAP = 0.02  # share of windows that another one continues
MOST_ROWS = 2**13  # of a table, and of the pixels or steps of all samples
ROUNDING = 1e-5  # of float32, in spreads of the target


class Copy(NamedTuple):
    """A target that is among the inputs.

    Attributes:
        output: Name of the output.
        input: `Input`.
        kind: `"steps"`: the input is the target at each step; `"ahead"`: it is the
            target of the next step; `"answer"`: the whole input is the target;
            `"column"`: one of its columns is; `"in window"`: one step of windows that
            overlap is.
        column: Integer, the number of that column or step, or None.
        relation: `"equal"`, `"affine"`, `"one-to-one"` for classes; `"round"` for an
            affine one with round numbers, and `"monotone"`, which may be the formula
            that made the targets.
        before: Float, how much the answers of earlier steps move if one step of the
            input is replaced, over the movement of the answer at that step: 0 for a
            causal model, 1 for a bottleneck. None if the answers have no steps.
        after: The same for later steps.
        follows: Whether the answers depend on the input.
    """

    output: str
    input: Input
    kind: str
    column: int | None
    relation: str
    before: float | None = None
    after: float | None = None
    follows: bool = True


@instrument("inputs against targets")
def copied_targets(snapshot: Snapshot) -> list[Copy] | None:
    """The targets that are among the inputs; None without targets to compare.

    Args:
        snapshot: `Snapshot`.
    """
    if not snapshot.has_targets or snapshot.samples < FEWEST:
        return None
    copies = []
    for view in snapshot.views():
        targets = _targets(view)
        if targets is None:
            continue
        for one in inputs_of(snapshot):
            copy = _compared(view, targets, one)
            if copy is not None:
                copies.append(copy)
    return copies


def _compared(view, targets, one):
    kind = whole_copy(one.values, targets)
    if kind is not None:
        shared = _dependence(view, one, kind)
        return Copy(view.name, one, kind, None, "equal", *shared)
    step = step_in_window(one.values, targets)
    if step is not None:
        return Copy(view.name, one, "in window", step, "equal")
    if not _has_columns(view, one, targets):
        return None
    table = one.values.reshape(-1, one.values.shape[-1])
    every = -(-len(table) // MOST_ROWS)
    column = copied_column(table[::every], targets.ravel()[::every])
    return None if column is None else Copy(view.name, one, "column", *column)


def _targets(view: OutputView) -> np.ndarray | None:
    """The targets without axes of size one, one-hot rows as ids; None if constant."""
    y = view.targets
    if y is None or y.dtype.kind not in "biuf" or not np.isfinite(y).all():
        return None
    y = _plain(y)
    return None if (y == y[:1]).all() else y


def _plain(array):
    """An array without a last axis of size one, one-hot rows as ids."""
    if array.ndim > 1 and array.shape[-1] == 1:
        return array[..., 0]
    is_bits = array.ndim > 1 and np.isin(array, (0, 1)).all()
    if is_bits and (array.sum(-1) == 1).all():
        return array.argmax(-1)
    return array


def whole_copy(values: np.ndarray, targets: np.ndarray) -> str | None:
    """How an input repeats the targets as a whole.

    Args:
        values: Array `(N, ...)`, the input; ids or one-hot rows.
        targets: Array `(N, ...)`; ids or numbers.

    Returns:
        The `kind` of a `Copy`, or None.

    Examples:
        >>> tokens = np.random.default_rng(0).integers(1, 9, (20, 5))
        >>> whole_copy(tokens, tokens), whole_copy(np.eye(9)[tokens], tokens)
        ('steps', 'steps')
        >>> whole_copy(tokens[:, 1:], tokens[:, :-1])
        'ahead'
        >>> whole_copy(tokens[:, :-1], tokens[:, 1:]) is None
        True
    """
    values = _plain(values)
    if values.shape != targets.shape:
        return None
    if np.array_equal(values, targets):
        return "steps" if values.ndim > 1 else "answer"
    if values.ndim < 2 or values.shape[1] < 3:
        return None
    moved = (targets[:, 1:] != targets[:, :-1]).mean() > 0.2
    is_ahead = np.array_equal(values[:, :-1], targets[:, 1:])
    return "ahead" if moved and is_ahead else None


def step_in_window(values: np.ndarray, targets: np.ndarray) -> int | None:
    """The step of each window that is its target; None if there is no such step.

    Windows are windows of one series if some begin as others go on: a target that
    repeats one of many unrelated numbers is a task of memory.

    Args:
        values: Array `(N, steps, features)`.
        targets: Array `(N,)`.

    Examples:
        >>> windows = np.arange(20.0)[:, None] + np.arange(4)
        >>> step_in_window(windows[..., None], windows[:, 2])
        2
        >>> step_in_window(windows[..., None], windows[:, 3] + 1) is None
        True
    """
    if values.ndim != 3 or targets.ndim != 1 or values.shape[1] < 2:
        return None
    if len(targets) != len(values) or len(np.unique(targets)) < FEWEST_VALUES:
        return None
    same = (values == targets[:, None, None]).all(0).any(-1)
    if not same.any():
        return None
    begins = {window.tobytes() for window in values[:, :-1].copy()}
    overlap = np.mean([window.tobytes() in begins for window in values[:, 1:].copy()])
    return int(same.argmax()) if overlap > LEAST_OVERLAP else None


def _dependence(view, one, kind) -> tuple:
    """`(before, after, follows)`: what moves if a part of the input is replaced."""
    snapshot = view.snapshot
    x = some(snapshot, slice(FEW))
    values = one.values[:FEW]
    others = np.roll(values, 1, axis=0)
    steps = values.shape[1] if values.ndim > 1 else 0
    places = sorted({steps // 3, steps // 2, 2 * steps // 3}) if steps > 2 else []
    variants = [x, replaced(x, one.key, others)]
    for place in places:
        changed = values.copy()
        changed[:, place] = others[:, place]
        variants.append(replaced(x, one.key, changed))
    answers = [outputs[view.index] for outputs in answers_to(snapshot, variants)]
    same, all_changed = answers[:2]
    follows = bool(movement(same, all_changed).mean() > 1e-6 * np.abs(same).max())
    if kind == "answer" and _is_margin(same, all_changed, values):
        return None, None, False
    if not places or same.ndim < 2 or same.shape[1] != steps:
        return None, None, follows
    moved = [np.sqrt((movement(same, a, 1) ** 2).mean(0)) for a in answers[2:]]
    own = sum(m[p] for m, p in zip(moved, places, strict=True))
    if not own > 0:
        return None, None, follows
    before = sum(m[:p].mean() for m, p in zip(moved, places, strict=True) if p)
    after = sum(m[p + 1 :].mean() for m, p in zip(moved, places, strict=True))
    return float(before / own), float(after / own), follows


def _is_margin(same, changed, labels) -> bool:
    """Whether a label only takes from its own class, as a margin in training does."""
    labels = _plain(labels)
    rows = np.flatnonzero(labels != np.roll(labels, 1, axis=0))
    is_classes = labels.dtype.kind in "biu" or (labels == np.floor(labels)).all()
    if not is_classes or same.ndim != 2 or not len(rows):
        return False
    own = labels[rows].astype("int64")
    if own.min() < 0 or own.max() >= same.shape[1]:
        return False
    return bool((changed[rows, own] > same[rows, own]).all())


def _has_columns(view, one, targets) -> bool:
    """Whether an input is a table, or steps of several features, of these targets."""
    values = one.values
    if values.ndim < 2 or values.shape[-1] < 2 or not np.isfinite(values).all():
        return False
    if values.shape[:-1] != targets.shape:
        return False
    return values.ndim > 2 or not _has_steps(view.layers)


def _has_steps(layers) -> bool:
    """Whether a model reads its inputs as sequences, so that a column is a step."""
    kinds = ("RNN", "LSTM", "GRU", "Embedding", "Conv", "Attention", "Bidirectional")
    return any(
        kind in base.__name__
        for output in layers
        for base in type(output.layer).__mro__
        for kind in kinds
    )


def copied_column(table: np.ndarray, y: np.ndarray) -> tuple[int, str] | None:
    """The column of a table that holds the target, and how.

    Args:
        table: Array `(rows, columns)`.
        y: Array `(rows,)`, numbers or ids.

    Returns:
        `(column, relation)`, see `Copy`; None if there is no such column.

    Examples:
        >>> table = np.random.default_rng(0).normal(size=(50, 4))
        >>> copied_column(table, 3 * table[:, 2] - 1)
        (2, 'round')
        >>> copied_column(table, table.sum(1)) is None
        True
    """
    _, ids, counts = np.unique(y, return_inverse=True, return_counts=True)
    for column, values in enumerate(table.astype("float64").T):
        relation = _relation(values, y.astype("float64"), ids, counts)
        if relation is not None:
            return column, relation
    return None


def _relation(values, y, ids, counts) -> str | None:
    distinct, names = np.unique(values, return_inverse=True)
    is_classes = len(counts) < FEWEST_VALUES
    if len(distinct) < 2:
        return None
    if is_classes:
        pairs = len(np.unique(ids * len(distinct) + names))
        if not pairs == len(distinct) == len(counts) or counts.min() < FEWEST_OF_CLASS:
            return None
        return "equal" if np.array_equal(values, y) else "one-to-one"
    if np.array_equal(values, y):
        return "equal"
    line = _line(values, y)
    if line is not None:
        return "round" if all(map(_is_round, line)) else "affine"
    # Without ties, any two columns of few rows might be in the same order by chance.
    order = np.argsort(values, kind="stable")
    steps, same = np.diff(y[order]), np.diff(values[order]) == 0
    rises = np.sign(steps[~same])
    is_monotone = not steps[same].any() and rises.any() and (rises == rises[0]).all()
    return "monotone" if is_monotone and rises[0] != 0 else None


def _line(values, y) -> tuple[float, float] | None:
    """Slope and intercept of targets on a line, or None."""
    v, t = values - values.mean(), y - y.mean()
    slope = float((v @ t) / (v @ v))
    left: Any = np.abs(t - slope * v).max()
    if slope == 0 or left > ROUNDING * np.sqrt((t @ t) / len(t)):
        return None
    return slope, float(y.mean() - slope * values.mean())


def _is_round(number: float) -> bool:
    """Whether a number has two digits, as far as float32 can tell."""
    return abs(number - float(f"{number:.1e}")) <= 1e-4 * abs(number) + 1e-6
