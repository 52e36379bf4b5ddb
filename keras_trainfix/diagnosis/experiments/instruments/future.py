"""Does the answer at a step depend on later steps, which hold its target?"""

from typing import NamedTuple

import keras
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
from keras_trainfix.diagnosis.experiments.culprit import first_layer
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import MOST_FROM_FUTURE

FEWEST_STEPS = 4
MOST_STEPS = 1024


class Future(NamedTuple):
    """What later steps of an input do to the answers of earlier ones.

    Attributes:
        input: `Input`.
        output: Name of the output.
        steps: Integer, how many steps the targets are ahead of the input.
        moved: Float, how far the answers whose targets are among the replaced steps
            move, over how far those of the replaced steps move.
        layer: The first layer that looks ahead, or None.
    """

    input: Input
    output: str
    steps: int
    moved: float
    layer: keras.Layer | None


@instrument("later steps replaced")
def seen_future(snapshot: Snapshot) -> list[Future] | None:
    """What later steps do, where targets are the next inputs; else None.

    Args:
        snapshot: `Snapshot`.
    """
    if not snapshot.has_targets or snapshot.samples < FEWEST:
        return None
    found = []
    for view in snapshot.views():
        ahead = [
            (one, steps)
            for one in inputs_of(snapshot)
            if view.targets is not None
            and (steps := steps_ahead(one.values, np.asarray(view.targets)))
        ]
        # An encoder's input may be such a sequence by its task; a decoder comes last.
        if ahead:
            found += _measured(view, *ahead[-1])
    return found or None


def steps_ahead(values: np.ndarray, targets: np.ndarray) -> int:
    """By how many steps the targets are ahead of an input; 0 if they are not.

    Args:
        values: Array `(N, steps)` of ids, or `(N, steps, features)`.
        targets: Array `(N, steps, ...)`, ids, one-hot rows or numbers.

    Returns:
        Integer.

    Examples:
        >>> tokens = np.random.default_rng(0).integers(1, 9, (20, 8))
        >>> steps_ahead(tokens[:, :-1], tokens[:, 1:])
        1
        >>> steps_ahead(tokens, tokens)
        0
    """
    forms = [_column(part) for part in _forms(values)]
    wanted = [_column(part) for part in _forms(targets)]
    for one in forms:
        for other in wanted:
            steps = _shift(one, other)
            if steps:
                return steps
    return 0


def _forms(array):
    """An array, and the ids of one-hot rows."""
    if array.dtype.kind not in "biuf" or array.ndim not in (2, 3):
        return []
    is_bits = array.ndim == 3 and array.shape[2] > 1 and np.isin(array, (0, 1)).all()
    if is_bits and (array.sum(-1) == 1).all():
        return [array.argmax(-1)]
    return [array]


def _column(array):
    return array[..., None] if array.ndim == 2 else array


def _shift(values, targets):
    """The shift after which the targets are columns of the values."""
    steps = values.shape[1]
    if targets.shape[:2] != values.shape[:2] or not FEWEST_STEPS <= steps <= MOST_STEPS:
        return 0
    if targets.shape[2] > values.shape[2]:
        return 0
    if (targets[:, 1:] == targets[:, :-1]).mean() > 0.8:
        return 0
    for by in range(1, steps // 2 + 1):
        later, wanted = values[:, by:], targets[:, :-by]
        if all(
            any(
                np.array_equal(later[..., k], wanted[..., j])
                for k in range(values.shape[2])
            )
            for j in range(targets.shape[2])
        ):
            return by
    return 0


def _measured(view, one, steps):
    snapshot, length = view.snapshot, one.values.shape[1]
    prediction = view.predictions
    if prediction.ndim < 2 or prediction.shape[1] != length:
        return []
    x = some(snapshot, slice(FEW))
    values = one.values[:FEW]
    cuts = sorted({max(steps, length // 2), max(steps, 3 * length // 4)})
    variants = [x, x]
    for cut in cuts:
        changed = values.copy()
        changed[:, cut:] = np.roll(values, 1, axis=0)[:, cut:]
        variants.append(replaced(x, one.key, changed))
    same, again, *others = (a[view.index] for a in answers_to(snapshot, variants))
    moved = max(
        _share(same, other, cut, steps) - _share(same, again, cut, steps, other)
        for cut, other in zip(cuts, others, strict=True)
    )
    layer = None
    if moved > MOST_FROM_FUTURE:
        both = keras.tree.map_structure(lambda *a: np.concatenate(a), x, variants[2])
        cut = cuts[0]

        def looks_ahead(output):
            if output.ndim < 2 or output.shape[:2] != (2 * len(values), length):
                return False
            one, other = np.split(output, 2)
            return _share(one, other, cut, steps) > MOST_FROM_FUTURE

        layer = first_layer(snapshot.model, both, looks_ahead)
    return [Future(one, view.name, steps, moved, layer)]


def _share(same, other, cut, steps, scale=None):
    """The movement of the last answers before a cut over that of those behind it."""
    moved = np.sqrt((movement(same, other, 1) ** 2).mean(0))
    whole = moved if scale is None else movement(same, scale, 1).mean(0)
    behind = whole[cut:].mean()
    return float(moved[cut - steps : cut].max() / behind) if behind > 0 else 0.0
