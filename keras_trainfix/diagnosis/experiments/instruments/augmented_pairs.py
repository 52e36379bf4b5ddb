"""Whether images are mirrored, turned or shifted while their targets stay."""

from collections import Counter, defaultdict
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.data import leaves
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.measure.image_pairs import (
    SHIFTED,
    grays,
    how_moved,
    moves_of,
)
from keras_trainfix.diagnosis.measure.input_gap import channels_last
from keras_trainfix.diagnosis.measure.positional import (
    are_boxes,
    is_map,
    side_is_lost,
)
from keras_trainfix.diagnosis.measure.row_keys import row_keys
from keras_trainfix.diagnosis.observe.layer_outputs import LayerOutput
from keras_trainfix.diagnosis.observe.sample import MOST, Sample, joined

MOST_PAIRS = 256
MOST_LEARNED = 1024  # images from which the side of a coordinate is learned
FEWEST_PAIRS = 4
IDENTIFIED = 0.5  # share of the samples that show what another of their target shows
COMMON = 8  # samples of one target: more of them do not identify a sample
MOST_COLUMNS = 64
MOVED = "moved"  # by a layer, in another way
LAYERS = (
    *("RandomFlip", "RandomRotation", "RandomTranslation", "RandomCrop"),
    *("RandomShear", "RandomPerspective", "RandomZoom", "RandomElasticTransform"),
)


class AugmentedPairs(NamedTuple):
    """Pairs of images with one and the same target.

    Attributes:
        pairs: Integer, pairs whose images show the same.
        moved: Integer, those whose images were moved.
        how: String, the commonest move: `"mirrored left to right"`.
        kind: String, what the targets are: `"masks"`, `"boxes"` or `"coordinates"`;
            `""` if nothing shows that they say where something is.
        gain: Float, by how much the distance of a coordinate from the middle is better
            known than its side; NaN for masks and boxes.
        layer: String, the layer of the model that moves the images, or `""`.
    """

    pairs: int
    moved: int
    how: str
    kind: str
    gain: float
    layer: str = ""

    @property
    def share(self) -> float:
        """Moved pairs over all pairs."""
        return self.moved / self.pairs


@instrument("images of the same target")
def augmented_pairs(snapshot: Any) -> AugmentedPairs | None:
    """Compares images that come with one target, in two epochs and behind layers.

    Args:
        snapshot: `Snapshot`.

    Returns:
        `AugmentedPairs`; None without images, or where no target occurs twice.
    """
    if not any(map(is_image, leaves(snapshot.sample.x))) or not snapshot.has_targets:
        return None
    found = _by_layer(snapshot)
    if found is None and snapshot.batches is not None:
        batches = [batch for epoch in snapshot.batches.epochs for batch in epoch]
        found = pairs_of(joined(batches, sum(map(_length, batches))))
    return found


def is_image(array: np.ndarray) -> bool:
    """Whether an array holds images of 8 or more pixels a side."""
    if array.ndim != 4 or array.dtype.kind not in "biuf":
        return False
    return min(channels_last(array).shape[1:3]) >= 8


def pairs_of(sample: Sample) -> AugmentedPairs | None:
    """The `AugmentedPairs` of samples, some of which have the same target."""
    groups: dict[int, list[int]] = defaultdict(list)
    for index, key in enumerate(row_keys(sample.y)):
        groups[key].append(index)
    few = sorted((g for g in groups.values() if len(g) <= COMMON), key=len)
    pairs = np.array([pair for group in few for pair in combinations(group, 2)])
    if len(pairs) < FEWEST_PAIRS:
        return None
    pairs = pairs[:MOST_PAIRS]
    distinct = np.array([group[0] for group in few][:MOST_LEARNED])
    for images in filter(is_image, leaves(sample.x)):
        images = channels_last(images)
        answers = how_moved(grays(images[pairs[:, 0]]), grays(images[pairs[:, 1]]))
        if _share_with_partner(pairs, answers) < IDENTIFIED:
            continue  # one target, but other images: it came about by chance
        targets = [leaf[pairs[:, 0]] for leaf in leaves(sample.y)]
        everything = [leaf[distinct] for leaf in leaves(sample.y)]
        found = _judged(answers, targets, images[distinct], everything)
        if found is not None:
            return found
    return None


def _share_with_partner(pairs, answers):
    """The share of the samples that show the same as another one of their target."""
    known = np.array([answer is not None for answer in answers])
    return len(np.unique(pairs[known])) / len(np.unique(pairs))


def _by_layer(snapshot: Any) -> AugmentedPairs | None:
    """The same for layers that move images in training mode."""
    plain = _moving(snapshot.layers)
    if not plain:
        return None
    for name, images in _moving(snapshot.call_in_training()[1]).items():
        before = plain.get(name)
        if before is None or before.shape != images.shape or not is_image(before):
            continue
        one, two = (grays(channels_last(array)) for array in (before, images))
        answers = [MOVED if how is None else how for how in how_moved(one, two)]
        targets = [leaf[: len(images)] for leaf in leaves(snapshot.sample.y)]
        found = _judged(answers, targets, channels_last(images), targets)
        if found is not None:
            return found._replace(layer=name)
    return None


def _moving(outputs: list[LayerOutput]) -> dict[str, np.ndarray]:
    chosen = [o for o in outputs if type(o.layer).__name__ in LAYERS]
    return {output.layer.name: output.values[:MOST] for output in chosen}


def _judged(answers, targets, images, everything):
    """`AugmentedPairs` of what happened to each pair, and the targets of the pairs."""
    known = [answer for answer in answers if answer is not None]
    if len(known) < FEWEST_PAIRS:
        return None
    moved = Counter(answer for answer in known if answer)
    if not moved:
        return AugmentedPairs(len(known), 0, "", "", float("nan"))
    how = moved.most_common(1)[0][0]
    counted = sum(moved.values())
    move = moves_of(images.shape).get(how)
    for leaf, whole in zip(targets, everything, strict=True):
        if is_map(leaf, images):
            changed = [
                bool(answer) and _map_changes(row, answer)
                for row, answer in zip(leaf, answers, strict=True)
            ]
            counted, kind, gain = sum(changed), "masks", float("nan")
        elif are_boxes(whole):
            kind, gain = "boxes", float("nan")
        elif move is not None:
            kind, gain = "coordinates", _gain(whole, grays(images), move)
        else:
            continue
        return AugmentedPairs(len(known), counted, how, kind, gain)
    return AugmentedPairs(len(known), counted, how, "", float("nan"))


def _map_changes(row, how):
    """Whether a mask would be another one after a move."""
    if how in (SHIFTED, MOVED):
        return bool((row != row[:1, :1]).any())
    moved = moves_of((1, *row.shape))[how](row[None])[0]
    return bool((moved != row).mean() > 0.01)


def _gain(targets, images, move):
    """The largest gain over the columns of targets."""
    columns = targets.reshape(len(targets), -1)
    if columns.dtype.kind not in "iuf" or columns.shape[1] > MOST_COLUMNS:
        return 0.0
    return max(side_is_lost(column, images, move) for column in columns.T)


def _length(sample):
    return len(leaves(sample.x)[0])
