"""How the weight of a class goes with the number of its labels."""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.observe.sample_weights import weights_of

FEWEST = 20  # labels
SPREAD = 0.3  # of weights within a class, over the spread between classes


class ClassWeights(NamedTuple):
    """The weights of the classes of an output, in the order of `classes`.

    Attributes:
        classes: List of class ids.
        shares: List of floats, the share of the labels of each class.
        weights: List of floats, the mean weight of a label of each class.
        slope: Float, the exponent of the count that the weights follow: 0 for equal
            weights, -1 for balanced ones, 1 if they are proportional to the counts.
        correlation: Float, of logarithms of weights and counts.
    """

    classes: list[int]
    shares: list[float]
    weights: list[float]
    slope: float
    correlation: float

    @property
    def weighted_shares(self) -> list[float]:
        """The share of each class in the loss, if each label costs the same."""
        parts = np.multiply(self.shares, self.weights)
        return (parts / parts.sum()).tolist()

    @property
    def balanced(self) -> dict[int, float]:
        """The weights that give each class the same share; their mean label has 1."""
        weights = 1 / (len(self.classes) * np.array(self.shares))
        return dict(zip(self.classes, np.round(weights, 3).tolist(), strict=True))


@instrument("weights of the classes")
def class_weights(snapshot: Any) -> list[ClassWeights | None] | None:
    """The weights of the classes of each output, as `fit` applies them.

    Args:
        snapshot: `Snapshot`.

    Returns:
        List of `ClassWeights` or None, one for each output; None without weights.
    """
    if snapshot.sample.sample_weight is None:
        return None
    return [_weights_of_view(view) for view in snapshot.views()]


def _weights_of_view(view):
    weights, labels = weights_of(view), view.labels
    if weights is None or labels is None or labels.ids is None:
        return None
    weights, ids = np.ravel(np.asarray(weights, "float64")), np.ravel(labels.ids)
    if not weights.size or ids.size % weights.size:
        return None
    return weights_by_class(ids, np.repeat(weights, ids.size // weights.size))


def weights_by_class(ids: np.ndarray, weights: np.ndarray) -> ClassWeights | None:
    """The `ClassWeights` of labels and their weights.

    Args:
        ids: Integer array `(N,)`.
        weights: Array `(N,)`; labels of weight 0 are left out.

    Returns:
        `ClassWeights`; None for fewer than two classes, weights that are not finite,
        or weights that do not depend on the class alone.
    """
    kept = weights > 0
    ids, weights = ids[kept], weights[kept]
    classes, places, counts = np.unique(ids, return_inverse=True, return_counts=True)
    if len(classes) < 2 or ids.size < FEWEST or not np.isfinite(weights).all():
        return None
    logarithms = np.log(weights)
    means = np.bincount(places, logarithms) / counts
    rest = logarithms - means[places]
    between = np.sqrt(np.average((means - logarithms.mean()) ** 2, weights=counts))
    if np.sqrt((rest**2).mean()) > SPREAD * between:
        return None
    x, y = np.log(counts) - np.log(counts).mean(), means - means.mean()
    scale = np.sqrt((x**2).sum() * (y**2).sum())
    return ClassWeights(
        classes.tolist(),
        (counts / counts.sum()).tolist(),
        np.exp(means).tolist(),
        float((x * y).sum() / max((x**2).sum(), 1e-12)),
        float((x * y).sum() / max(scale, 1e-12)),
    )
