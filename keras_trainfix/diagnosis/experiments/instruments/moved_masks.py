"""Whether small patches of an image predict the mask at their place, or elsewhere."""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.data import as_array, leaves, mapped
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.instruments.augmented_pairs import is_image
from keras_trainfix.diagnosis.measure.file_orders import FileOrder, file_orders
from keras_trainfix.diagnosis.measure.image_pairs import moves_of
from keras_trainfix.diagnosis.measure.input_gap import channels_last
from keras_trainfix.diagnosis.measure.label_gap import coding_of, ids_of
from keras_trainfix.diagnosis.measure.stratified import classes_of, stratified
from keras_trainfix.diagnosis.observe.batches import of_output

IMAGES, FEWEST_IMAGES = 32, 8
PIXELS = 150  # of an image
RADIUS = 2  # of a patch: 5 by 5
CLASSES = 8
RAREST = 0.01  # share of the pixels of a class that counts
STEPS = (3, 6)  # pixels of a shift
PENALTY = 1e-2
RELATED = 0.3  # R2 with which no other order of the masks is tried


class MovedMasks(NamedTuple):
    """The masks, moved as a whole, that patches of the images predict best.

    Attributes:
        as_given: Float, R2 of a ridge regression on held-out images, masks as given.
        best: Float, the same for the best move.
        move: String: `"mirrored left to right"`, `"of image i + 1"`.
        images: Integer.
        order: `FileOrder` of masks and images, if the best one is of that kind.
    """

    as_given: float
    best: float
    move: str
    images: int
    order: FileOrder | None = None

    @property
    def gain(self) -> float:
        """How much better the moved masks are predicted."""
        return self.best - max(self.as_given, 0.0)


@instrument("patches and masks")
def moved_masks(snapshot: Any) -> list[MovedMasks | None] | None:
    """Tries moved masks for the images, for each output that has a map.

    Args:
        snapshot: `Snapshot`.

    Returns:
        List of `MovedMasks` or None, one for each output; None without images.
    """
    images = [array for array in snapshot.inputs.values() if is_image(array)]
    if len(images) != 1:
        return None
    found: list[MovedMasks | None] = []
    for view in snapshot.views():
        moved = None if view.targets is None else try_moves(images[0], view.targets)
        if moved is not None and moved.as_given < RELATED:
            other = _in_other_order(snapshot, view, moved)
            moved = max(filter(None, (moved, other)), key=lambda one: one.gain)
        found.append(moved)
    return found


def _in_other_order(snapshot, view, as_sampled):
    """The `MovedMasks` if one of two lists of files is by name, and masks fit then."""
    given, y = leaves(snapshot.given.x), snapshot.given.y
    if snapshot.batches is not None or y is None or len(given) != 1:
        return None
    masks = of_output(mapped(as_array, y), view)
    images = as_array(given[0][:IMAGES])
    if masks is None:
        return None
    tried = []
    for order in file_orders(len(masks)):
        moved = try_moves(images, masks[order.rows[: len(images)]], with_moves=False)
        if moved is not None:
            tried.append((moved.as_given, order))
    if not tried:
        return None
    best, order = max(tried, key=lambda pair: pair[0])
    return as_sampled._replace(best=best, move=order.words, order=order)


def try_moves(
    images: np.ndarray, masks: np.ndarray, with_moves: bool = True
) -> MovedMasks | None:
    """The best `MovedMasks` of images and masks.

    Args:
        images: Array `(N, H, W, C)`, or with the channels first.
        masks: Array `(N, H, W)` or `(N, H, W, K)`.
        with_moves: Boolean, whether to try any move.

    Returns:
        `MovedMasks`; None where there is no value for each pixel, few images, or masks
        of one class.
    """
    images = channels_last(images)[:IMAGES].astype("float64")
    if len(images) < FEWEST_IMAGES or masks.shape[1:3] != images.shape[1:3]:
        return None
    if not np.isfinite(images).all():
        return None
    planes = _planes(masks[:IMAGES])
    if planes is None:
        return None
    count, height, width = images.shape[:3]
    rng = np.random.default_rng(0)
    rows = rng.integers(0, height, (count, PIXELS))
    columns = rng.integers(0, width, (count, PIXELS))
    which = np.arange(count)[:, None]
    wanted = {"": planes[which, rows, columns]}
    features = _patches(images, which, rows, columns)
    is_held_out = _held_out(masks[:IMAGES])
    if not with_moves:
        as_given = _scores(features, wanted, is_held_out)[""]
        return MovedMasks(as_given, as_given, "", count)
    for name, move in moves_of(planes.shape[:3]).items():
        wanted[name] = move(planes)[which, rows, columns]
    for step in STEPS:
        for down, right in ((step, 0), (-step, 0), (0, step), (0, -step)):
            moved = np.roll(planes, (down, right), (1, 2))
            name = f"shifted by {down} rows and {right} columns"
            wanted[name] = moved[which, rows, columns]
    for offset, name in ((1, "of image i + 1"), (-1, "of image i - 1")):
        wanted[name] = np.roll(planes, -offset, 0)[which, rows, columns]
    scores = _scores(features, wanted, is_held_out)
    as_given = scores.pop("")
    best = max(scores, key=scores.__getitem__)
    return MovedMasks(as_given, scores[best], best, count)


def _planes(masks):
    """Masks as `(N, H, W, K)`, a plane for each class; None for one class."""
    if masks.ndim not in (3, 4) or masks.dtype.kind not in "biuf":
        return None
    if not np.isfinite(masks).all():
        return None
    if coding_of(masks) == "numbers":
        planes = masks.reshape(*masks.shape[:3], -1)[..., :CLASSES].astype("float64")
        return planes if planes.std() > 0 else None
    ids = ids_of(masks)
    classes, counts = np.unique(ids, return_counts=True)
    kept = classes[counts > RAREST * ids.size][:CLASSES]
    if len(kept) < 2 or ids.shape != masks.shape[:3]:
        return None
    return (ids[..., None] == kept).astype("float64")


def _patches(images, which, rows, columns):
    """Features of a patch around each pixel: `(N, PIXELS, F)`, and their squares."""
    padded = np.pad(
        images, ((0, 0), (RADIUS, RADIUS), (RADIUS, RADIUS), (0, 0)), mode="edge"
    )
    size = range(2 * RADIUS + 1)
    parts = [padded[which, rows + i, columns + j] for i in size for j in size]
    values = np.concatenate(parts, -1)
    spread = values.std((0, 1))
    values = (values - values.mean((0, 1))) / np.where(spread > 0, spread, 1)
    mean = values.mean(-1, keepdims=True)
    return np.concatenate([values, mean**2, np.ones_like(mean)], -1)


def _held_out(masks):
    """Half of the images, with the same mix of classes; of numbers, the second half."""
    classes = classes_of(masks)
    if classes is None:
        return np.arange(len(masks)) >= len(masks) // 2
    return stratified(classes, 2)


def _scores(features, wanted, is_held_out):
    """R2 on the held-out images, for each kind of targets."""

    def parts(values):
        halves = values[~is_held_out], values[is_held_out]
        return [half.reshape(-1, values.shape[-1]) for half in halves]

    train, rest = parts(features)
    gram = train.T @ train
    gram += PENALTY * len(train) * np.eye(len(gram))
    solved = np.linalg.solve(gram, train.T)
    scores = {}
    for name, planes in wanted.items():
        one, two = parts(planes)
        errors = ((two - rest @ (solved @ one)) ** 2).sum()
        scores[name] = float(1 - errors / max(((two - one.mean(0)) ** 2).sum(), 1e-12))
    return scores
