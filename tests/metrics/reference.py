"""Segmentation scores computed naively: from Python integers, one pixel at a time."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st


def confusion(labels, ids, num_classes, ignored=(255,), weights=None):
    """The counts of Python integers, or of exact fractions with weights."""
    matrix = np.zeros((num_classes, num_classes), object)
    weights = np.ones(labels.shape, int) if weights is None else weights
    for label, index, weight in zip(
        labels.ravel(), ids.ravel(), weights.ravel(), strict=True
    ):
        if int(label) not in ignored:
            matrix[int(label), int(index)] += Fraction(weight.item())
    return matrix


def scores(matrix, ignored=()):
    """IoU, Dice and recall of each class and their means, and the overall accuracy."""
    iou, dice, recall = [], [], []
    for c in range(len(matrix)):
        hits, row, column = matrix[c, c], sum(matrix[c]), sum(matrix[:, c])
        out = c in ignored
        iou.append(ratio(hits, row + column - hits, out))
        dice.append(ratio(2 * hits, row + column, out))
        recall.append(ratio(hits, row, out))
    return {
        "iou": iou,
        "dice": dice,
        "accuracy": recall,
        "mean_iou": mean(iou),
        "dice_score": mean(dice),
        "mean_class_accuracy": mean(recall),
        "pixel_accuracy": ratio(sum(np.diag(matrix)), matrix.sum(), False),
    }


def ratio(part, whole, is_left_out):
    return math.nan if is_left_out or whole == 0 else float(Fraction(part, whole))


def mean(values):
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


class Case:
    """One batch: labels with some share of void, and scores.

    Attributes:
        labels: int64 `(N, ...)`, with void.
        scores: float32 `(N, ..., C)`; NaN and Inf under some void.
        ids: int64, the class of the highest score.
        ignored: Ids of void.
    """

    def __init__(self, rng, shape, num_classes, ignored, share):
        self.num_classes, self.ignored = num_classes, ignored
        present = rng.permutation(num_classes)[: rng.integers(1, num_classes + 1)]
        self.labels = rng.choice(present, shape)
        is_void = rng.random(shape) < share
        self.labels[is_void] = rng.choice(ignored, is_void.sum())
        void = np.isin(self.labels, ignored)
        self.scores = rng.normal(size=(*shape, num_classes)).astype("float32")
        self.ids = self.scores.argmax(-1)
        self.scores[void & (rng.random(shape) < 0.5)] = rng.choice([np.nan, np.inf])

    @property
    def valid(self):
        return ~np.isin(self.labels, self.ignored)

    @property
    def matrix(self):
        return confusion(self.labels, self.ids, self.num_classes, self.ignored)

    def forms(self):
        """The same labels in each form, by the name of the form."""
        rows = np.eye(self.num_classes)[np.where(self.valid, self.labels, 0)]
        rows[~self.valid] = 0
        marked = rows.copy()
        marked[~self.valid] = 255
        soft = 0.6 * rows + 0.4 / self.num_classes
        soft[~self.valid] = 0
        return {
            "int64": self.labels,
            "float32 with a last axis": self.labels.astype("float32")[..., None],
            "int16": self.labels.astype("int16"),
            "one-hot": rows.astype("uint8"),
            "one-hot with void marked": (marked if 255 in self.ignored else rows),
            "soft": soft.astype("float32"),
        }


@st.composite
def cases(draw, shape=(2, 4, 3), num_classes=5, ignored=None):
    """`Case`s of one shape, as JAX compiles each operation for every shape."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ignored = ignored or draw(st.sampled_from([(255,), (0,), (255, 2), (-1, 255)]))
    share = draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
    return Case(rng, shape, num_classes, ignored, share)


# --- boundaries ---

SHAPE = (2, 8, 9)
CLASSES = 4


def eroded(mask, distance):
    """A mask after erosions by 3x3; nothing outside of the image belongs to it."""
    height, width = mask.shape
    for _ in range(distance):
        padded = np.pad(mask, 1)
        mask = np.ones_like(mask)
        for row in range(3):
            for column in range(3):
                mask &= padded[row : row + height, column : column + width]
    return mask


def boundary_iou(labels, predicted, valid, distance, num_classes=CLASSES, weights=None):
    """Boundary IoU of each class, one mask of one image at a time."""
    weights = np.ones(labels.shape) if weights is None else weights
    scores = []
    for index in range(num_classes):
        both = either = 0.0
        for n in range(len(labels)):
            bands = []
            for ids in (labels[n], predicted[n]):
                mask = (ids == index) | ~valid[n]
                bands.append(mask & ~eroded(mask, distance) & valid[n])
            both += weights[n][bands[0] & bands[1]].sum()
            either += weights[n][bands[0] | bands[1]].sum()
        scores.append(both / either if either else np.nan)
    return np.array(scores)


def patches(rng, number=CLASSES, size=4, shape=SHAPE):
    """Maps of classes in squares, which have an interior."""
    coarse = rng.integers(0, number, (shape[0], *(-(-n // size) for n in shape[1:])))
    full = coarse.repeat(size, axis=1).repeat(size, axis=2)
    return full[:, : shape[1], : shape[2]].copy()


def logits_of(ids, number=CLASSES):
    return np.eye(number, dtype="float32")[ids] * 3 - 1
