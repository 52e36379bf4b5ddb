"""Whether targets depend on the order of the steps of a sequence, beyond their bag."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from keras_trainfix.diagnosis.measure.kernels import products_of
from keras_trainfix.diagnosis.measure.linear_and_knn import (
    Learner,
    Scores,
    mean_of_others,
    ridge,
)

PENALTIES = (0.01, 0.1, 1.0)
SHUFFLES = 3
FREQUENT = 40  # ids whose pairs are counted
BUCKETS = 2048  # of neighboring ids
PLACES = 64  # steps with features of their own: those at the ends
WIDTHS = (0.5, 2.0)  # of the similarity of two steps, over their mean distance


class OrderSignal(NamedTuple):
    """How well simple learners do on held-out samples, with the order and without.

    Attributes:
        ordered: `Learner`, the best of those that see the order.
        shuffled: `Learner`, the best of the same learners over several random orders of
            the steps of each sample.
        bag: `Learner`, the best of those that see which steps there are.
    """

    ordered: Learner
    shuffled: Learner
    bag: Learner

    @property
    def gain(self) -> float:
        """What the order adds to the skill."""
        return self.ordered.skill - max(self.shuffled.skill, self.bag.skill)

    @property
    def error(self) -> float:
        """The standard error of the gain, about."""
        return float(np.hypot(self.ordered.error, self.bag.error))


def order_signal(values: np.ndarray, kind: str, targets: np.ndarray) -> OrderSignal:
    """Compares learners that see the order of the steps with those that do not.

    Args:
        values: Array `(N, steps)` of ids, or `(N, steps, features)` of numbers.
        kind: As in `EvalPairs`.
        targets: Array `(N, columns)`.

    Returns:
        `OrderSignal`.
    """
    values = _prepared(values)
    mean = targets.mean(0)
    counted = np.ones(len(targets), bool)
    constant = mean_of_others(len(targets), 1)
    scores = Scores(kind, targets - mean, mean, counted, constant, 1)
    rng = np.random.default_rng(0)

    def best(kernels):
        learners = [ridge(k, penalty, 1) for k in kernels for penalty in PENALTIES]
        return scores.best(learners)

    ordered = best(_ordered(values))
    shuffled = [best(_ordered(_shuffled(values, rng))) for _ in range(SHUFFLES)]
    by_skill = max(shuffled, key=lambda learner: learner.skill)
    return OrderSignal(ordered, by_skill, best(_bags(values)))


def _prepared(values):
    """Ids as numbers from 0, the most frequent first; numbers standardized."""
    if values.ndim == 2:
        _, names, counts = np.unique(values, return_inverse=True, return_counts=True)
        rank = np.empty(len(counts), "int64")
        rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
        return rank[names].reshape(values.shape)
    values = values.reshape(*values.shape[:2], -1).astype("float64")
    spread = values.std((0, 1))
    return (values - values.mean((0, 1))) / np.where(spread > 0, spread, 1)


def _shuffled(values, rng):
    order = rng.random(values.shape[:2]).argsort(1)
    return values[np.arange(len(values))[:, None], order]


def _ordered(values) -> Iterable[np.ndarray]:
    """Similarities of samples that depend on the order of their steps."""
    steps = values.shape[1]
    ends = values
    if steps > PLACES:
        ends = np.concatenate([values[:, : PLACES // 2], values[:, -PLACES // 2 :]], 1)
    time = np.linspace(-1, 1, steps)
    if values.ndim == 3:
        places = _similarity(ends.reshape(len(values), -1))
        changes = np.diff(values, axis=1)
        return [
            places,
            products_of(places),
            _similarity(np.einsum("nsf,s->nf", values, time)),
            _similarity((values[:, 1:] * changes).mean(1)),
        ]
    number = int(values.max()) + 1
    one_hot = np.eye(min(number, BUCKETS), dtype="float32")
    late = _counts(values, number, time)
    places = one_hot[ends % len(one_hot)].reshape(len(values), -1)
    pairs = (values[:, :-1] * number + values[:, 1:]) % BUCKETS
    frequent = np.eye(FREQUENT + 1, dtype="float32")[np.minimum(values, FREQUENT)]
    frequent = frequent[..., :FREQUENT]
    before = frequent.cumsum(1) - frequent
    follows = np.einsum("nsa,nsb->nab", before, frequent).reshape(len(values), -1)
    return [
        _similarity(late),
        _similarity(places),
        _similarity(_counts(pairs, BUCKETS)),
        _similarity(follows),
    ]


def _bags(values) -> Iterable[np.ndarray]:
    """Similarities that depend on which steps there are, in whatever order."""
    if values.ndim == 2:
        counts = _counts(values, int(values.max()) + 1)
        kernels = [_similarity(np.sqrt(counts)), _similarity(counts > 0)]
        return [*kernels, products_of(kernels[0])]
    moments = [values.mean(1), values.std(1), values.min(1), values.max(1)]
    sorted_values = np.sort(values, axis=1).reshape(len(values), -1)
    kernels = [_similarity(np.concatenate(moments, 1)), _similarity(sorted_values)]
    kernels += [_of_sets(values, width) for width in WIDTHS]
    return [*kernels, *map(products_of, kernels)]


def _of_sets(values, width):
    """The mean similarity of the steps of one sample to those of another."""
    samples, steps, features = values.shape
    rng = np.random.default_rng(0)
    # Random features of a Gaussian kernel (Rahimi and Recht, 2007).
    points = values.reshape(-1, features)
    spread = width * np.sqrt(2 * features)
    waves = points @ (rng.normal(size=(features, 256)) / spread)
    waves += rng.uniform(0, 2 * np.pi, 256)
    return _similarity(np.cos(waves).reshape(samples, steps, -1).mean(1))


def _counts(ids, number, weights=None):
    """How often each id occurs in a sample, or the sum of the weights of its steps."""
    table = np.zeros((len(ids), number))
    weights = 1.0 if weights is None else np.broadcast_to(weights, ids.shape)
    np.add.at(table, (np.arange(len(ids))[:, None], ids), weights)
    return table


def _similarity(features):
    features = np.asarray(features, "float64")
    features = features - features.mean(0)
    products = features @ features.T
    scale = np.trace(products) / len(products)
    return products / scale if scale > 0 else products
