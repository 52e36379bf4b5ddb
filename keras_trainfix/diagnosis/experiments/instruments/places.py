"""Is the answer for a part of an image where that part is?"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix.diagnosis.experiments.answers import (
    FEWEST,
    answers_to,
    inputs_of,
    movement,
    replaced,
    some,
)
from keras_trainfix.diagnosis.experiments.culprit import first_layer
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.observe.layer_outputs import layer_outputs
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import LEAST_TURNED, MOST_OUT_OF_PLACE

LEAST_SIDE = 8
# Corners of the blocks, in sides of the image: no turn or flip maps one to itself.
CORNERS = ((0.0, 0.5), (0.5, 0.75), (0.75, 0.25), (0.25, 0.0))
SIDE = 0.25
TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "transposed": lambda a: a.T,
    "flipped up and down": lambda a: a[::-1],
    "flipped left and right": lambda a: a[:, ::-1],
    "turned by 180 degrees": lambda a: a[::-1, ::-1],
    "turned by 90 degrees": np.rot90,
    "turned by 270 degrees": lambda a: np.rot90(a, 3),
    "transposed the other way": lambda a: a[::-1, ::-1].T,
}


class Places(NamedTuple):
    """Where the answers move if a block of an image is replaced.

    Attributes:
        output: Name of the output.
        in_place: Float, the share of the movement that is where the block is: 0 by
            chance, 1 if all of it is.
        turn: One of the names in `TURNS`, the one with the largest share.
        turned: Float, the share that is where the block would be after that turn.
        scattered: Float, the share of the places that move most, wherever they are.
        untouched: Float, the least share of places that do not move at all.
        layer: The first layer whose output is there, or None.
        is_torn: Whether a layer is in place, and only layers without weights are
            behind it, which cannot learn to put the answers back.
    """

    output: str
    in_place: float
    turn: str
    turned: float
    scattered: float
    untouched: float
    layer: keras.Layer | None
    is_torn: bool = False


@instrument("block of the image replaced")
def places_of_answers(snapshot: Snapshot) -> list[Places] | None:
    """Where answers move, for each output with an answer for each pixel; else None.

    The answers for the pixels may be a flat list, row by row.

    Args:
        snapshot: `Snapshot`.
    """
    if snapshot.samples < FEWEST:
        return None
    found: list[Places | None] = []
    for view in snapshot.views():
        shape = view.predictions.shape
        same = [
            one
            for one in inputs_of(snapshot)
            if one.values.ndim in (3, 4)
            and min(sides := one.values.shape[1:3]) >= LEAST_SIDE
            and (
                (len(shape) == 4 and sides == shape[1:3])
                or (len(shape) == 3 and np.prod(sides) == shape[1])
            )
        ]
        if same:
            found.append(_measured(view, same[0]))
    return [one for one in found if one is not None] or None


def _measured(view, one):
    snapshot, (height, width) = view.snapshot, one.values.shape[1:3]
    x, values = some(snapshot, slice(FEWEST)), one.values[:FEWEST]
    masks = [block(height, width, corner) for corner in CORNERS]
    rng = np.random.default_rng(0)
    pool = one.values.reshape(-1, *one.values.shape[3:])
    variants = [x]
    for mask in masks:
        changed = values.copy()
        size = (len(values), int(mask.sum()))
        changed[:, mask] = pool[rng.integers(len(pool), size=size)]
        variants.append(replaced(x, one.key, changed))
    same, *others = (
        outputs[view.index].reshape(len(values), height, width, -1)
        for outputs in answers_to(snapshot, variants)
    )
    maps = [_energy(same, other) for other in others]
    if any(energy is None for energy in maps):
        return None
    in_place = mean_share(maps, masks)
    turns = {
        name: mean_share(maps, [turn(mask) for mask in masks])
        for name, turn in TURNS.items()
        if turn(masks[0]).shape == masks[0].shape
    }
    name = max(turns, key=lambda key: turns[key])
    scattered = mean_share(
        maps, [_largest(e, m.sum()) for e, m in zip(maps, masks, strict=True)]
    )
    untouched = min(float((energy == 0).mean()) for energy in maps)
    layer, is_torn = None, False
    if in_place < MOST_OUT_OF_PLACE:
        both = keras.tree.map_structure(lambda *a: np.concatenate(a), x, variants[1])

        def in_place_of(output):
            energy = _energy(*np.split(output, 2))
            return np.nan if energy is None else share(energy, masks[0])

        def is_elsewhere(output):
            if output.ndim != 4 or output.shape[1:3] != (height, width):
                return False
            return in_place_of(output) < MOST_OUT_OF_PLACE

        layer = first_layer(snapshot.model, both, is_elsewhere)
        if layer is None:
            layer = _tearing(snapshot.model, both, (height, width), in_place_of)
            is_torn = layer is not None
    if view.predictions.ndim == 3 and turns[name] >= LEAST_TURNED:
        return None  # its targets may list the pixels in that order
    return Places(
        view.name, in_place, name, turns[name], scattered, untouched, layer, is_torn
    )


def _tearing(
    model: keras.Model,
    x: Any,
    sides: tuple[int, int],
    in_place_of: Callable[[np.ndarray], float],
) -> keras.Layer | None:
    """The layer behind the last one in place, if no layer has weights from there on."""
    _, outputs = layer_outputs(model, x)
    behind: keras.Layer | None = None
    for output in reversed(outputs):
        if output.values.ndim == 4 and output.values.shape[1:3] == sides:
            is_there = in_place_of(output.values.astype("float64"))
            return behind if is_there >= MOST_OUT_OF_PLACE else None
        if output.layer.weights:
            return None
        behind = output.layer
    return None


def block(height: int, width: int, corner: tuple[float, float]) -> np.ndarray:
    """A boolean array `(height, width)` that is true in a block."""
    mask = np.zeros((height, width), bool)
    top, left = int(corner[0] * height), int(corner[1] * width)
    mask[top : top + int(SIDE * height), left : left + int(SIDE * width)] = True
    return mask


def share(energy: np.ndarray, mask: np.ndarray) -> float:
    """The share of an energy that is inside a mask: 0 by chance, 1 for all of it.

    Examples:
        >>> mask = block(8, 8, (0, 0))
        >>> share(mask / mask.sum(), mask), round(share(np.ones((8, 8)) / 64, mask), 6)
        (1.0, 0.0)
    """
    area = mask.mean()
    return float((energy[mask].sum() - area) / (1 - area))


def mean_share(maps: list[np.ndarray], masks: list[np.ndarray]) -> float:
    """The mean share over several blocks."""
    return float(np.mean([share(e, m) for e, m in zip(maps, masks, strict=True)]))


def _energy(same, other):
    energy = (movement(same, other, 2) ** 2).mean(0)
    total = energy.sum()
    return energy / total if total > 0 and np.isfinite(total) else None


def _largest(energy, number):
    """A mask of the places with the largest energy."""
    return energy >= np.sort(energy, axis=None)[-int(number)]
