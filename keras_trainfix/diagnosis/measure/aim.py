"""Whether the targets of an output are what its answers should be."""

from typing import Any

import numpy as np

from keras_trainfix.diagnosis.observe.loss_value import loss_value, value_of_answers
from keras_trainfix.diagnosis.observe.sample_weights import weights_of

BOOTSTRAPPED = 0.3  # share of the targets that are the model's own first answers
EQUAL = 1e-5  # of the spread of the targets


def aims_at_targets(view: Any) -> bool:
    """Whether answers can be judged by their difference from the targets.

    Args:
        view: `OutputView`.
    """
    is_named = view.loss.kind != "similarity" and not has_other_aim(view)
    return is_named and has_fixed_targets(view)


def has_fixed_targets(view: Any) -> bool:
    """Whether the targets say what is right, whatever the scale of the answers.

    They do not if the loss ignores them, if sample weights reward and punish, or if
    they are answers of the model itself, which move with it.

    Args:
        view: `OutputView`.
    """
    if view.targets is None:
        return False
    weights = weights_of(view)
    if weights is not None and np.min(np.asarray(weights), initial=0) < 0:
        return False
    if has_own_answers(view.snapshot.first.views()[view.index]):
        return False
    by_loss = view.loss_skill if view.loss.kind == "custom" else None
    return by_loss is None or by_loss.reads_targets


def has_other_aim(view: Any) -> bool:
    """Whether predictions are meant to differ from the targets.

    By the custom loss, they are better than the targets themselves would be.

    Args:
        view: `OutputView`.
    """
    if view.loss.kind != "custom":
        return False
    perfect, value = value_of_answers(view), loss_value(view)
    return None not in (perfect, value) and bool(value < perfect)


def has_own_answers(view: Any) -> bool:
    """Whether many of the targets are what the model answers, as in Q-learning.

    Args:
        view: `OutputView` of a model that these targets have not trained.
    """
    y, p = view.targets, view.predictions
    if y is None or y.dtype.kind != "f" or y.shape != p.shape or p.ndim < 2:
        return False
    spread = float(np.std(y))
    is_same = np.abs(y - p) <= EQUAL * spread
    near = is_same.reshape(-1, y.shape[-1]).mean(0)
    if not spread or near.min() <= BOOTSTRAPPED or near.max() == 1:
        return False
    return len(np.unique(y[is_same])) > is_same.sum() / 2  # no labels


def repeats_an_input(view: Any) -> bool:
    """Whether the model is an autoencoder, which a linear model could only copy.

    Args:
        view: `OutputView`.
    """
    targets = view.targets
    return targets is not None and any(
        array.size == targets.size and np.array_equal(array.ravel(), targets.ravel())
        for array in view.inputs.values()
    )
