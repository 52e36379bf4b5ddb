"""What the user's own training step does, repeated from the same weights."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.data import leaves
from keras_trainfix.diagnosis.experiments.backward import (
    gradients_of,
    has_loss,
    loss_of,
)
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.own_step import (
    optimizers_of,
    with_optimizers,
)
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged, untouched
from keras_trainfix.diagnosis.trial.runner import BATCH, tensors_of
from keras_trainfix.diagnosis.trial.user_step import has_own_step

TIMES = 4
MANY = 32  # steps within which gradients that are collected are applied
RATE = 1e-3
SAME = 1e-6  # of the size of a step


class Steps(NamedTuple):
    """The same step several times, with plain gradient descent as the optimizer.

    Attributes:
        sizes: List of the size of each step, from the same weights on the same batch.
        agreement: Float, the cosine of the last step and the first.
        moves: Whether any weight has moved within many steps.
        depends: Whether another batch gives another step; None where there is none.
        slope: Float, the cosine of the step and the downhill direction of the compiled
            loss; NaN without one.
    """

    sizes: list[float]
    agreement: float
    moves: bool
    depends: bool | None
    slope: float

    @property
    def growth(self) -> float:
        """How many times larger the last step is, if each is larger than the last."""
        grows = all(a < b for a, b in zip(self.sizes, self.sizes[1:], strict=False))
        return self.sizes[-1] / self.sizes[0] if grows and self.sizes[0] else 1.0


def repeated_step(snapshot: Any) -> Steps | None:
    """The `Steps` of a `Snapshot` whose model has a `train_step` of its own.

    None for other models, and where the step must not be called.

    Args:
        snapshot: `Snapshot`.
    """
    return _repeated_step(snapshot) if snapshot.may_step else None


@instrument("own training step, repeated")
def _repeated_step(snapshot: Any) -> Steps | None:
    model = snapshot.model
    if not has_own_step(model) or not model.trainable_variables:
        return None
    if getattr(model, "optimizer", None) is None:
        return None
    length = len(leaves(snapshot.sample.x)[0])
    order = np.random.default_rng(0).permutation(length)
    size = min(snapshot.fit.batch_size or BATCH, max(1, length // 2), BATCH)
    one, other = (_data(snapshot, order[i * size : (i + 1) * size]) for i in range(2))
    are_others = length >= 2 * size and not _are_equal(one, other)
    with untouched(model), _with_descent(model, one):
        before = [backend.to_numpy(v) for v in model.trainable_variables]

        def moved(data, times=1):
            with unchanged(model, weights=True):  # random state included
                for _ in range(times):
                    backend.step_of_user(model, data)
                return displacement(model, before)

        with backend.kept_by_user(model):
            steps = [moved(one) for _ in range(TIMES)]
            moves = any(map(np.any, steps)) or moved(one, MANY).any()
        with backend.kept_by_user(model):
            another = moved(other) if are_others and steps[0].any() else None
    depends = None if another is None else _differ(steps[0], another)
    sizes = [float(np.linalg.norm(step)) for step in steps]
    slope = downhill(snapshot, order[:size])
    return Steps(
        sizes,
        cosine(steps[0], steps[-1]),
        bool(moves),
        depends,
        float("nan") if slope is None else cosine(steps[0], slope),
    )


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """The cosine of two vectors; NaN where one is 0 or not finite."""
    size = np.linalg.norm(one) * np.linalg.norm(other)
    if not size or not np.isfinite(size):
        return float("nan")
    return float(np.dot(one, other) / size)


def _data(snapshot: Any, numbers: np.ndarray) -> Any:
    """A batch in the structure in which `fit` gives it to the step."""
    x, y, sample_weight = tensors_of(snapshot.sample, numbers)
    return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)


def _are_equal(one: Any, other: Any) -> bool:
    pairs = zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True)
    return all(
        np.array_equal(backend.to_numpy(a), backend.to_numpy(b)) for a, b in pairs
    )


@contextlib.contextmanager
def _with_descent(model: keras.Model, data: Any) -> Iterator[None]:
    """While open, every optimizer of a model is plain gradient descent.

    Its steps are gradients: Adam hides how large these are, and loss scaling skips.
    """
    own = {
        name: keras.optimizers.SGD(RATE, name="descent")
        for name in optimizers_of(model)
    }
    own["optimizer"].build(model.trainable_variables)
    with with_optimizers(model, data, **own):
        yield


def displacement(model: keras.Model, before: list[np.ndarray]) -> np.ndarray:
    """How far the trainable variables have moved: one vector.

    Args:
        model: The `keras.Model`.
        before: List of the arrays that they were.
    """
    pairs = zip(model.trainable_variables, before, strict=True)
    return np.concatenate(
        [(backend.to_numpy(v).astype("float64") - old).ravel() for v, old in pairs]
    )


def _differ(one: np.ndarray, other: np.ndarray) -> bool:
    distance = np.linalg.norm(one - other)
    return bool(not distance <= SAME * np.linalg.norm(one))


def downhill(snapshot: Any, numbers: np.ndarray) -> np.ndarray | None:
    """The direction in which the compiled loss falls; None without a compiled loss.

    Args:
        snapshot: `Snapshot`.
        numbers: Array of the numbers of the samples in the batch.
    """
    model = snapshot.model
    if model.loss is None or not has_loss(snapshot):
        return None
    batch = tensors_of(snapshot.sample, numbers)
    variables = model.trainable_variables
    with untouched(model):
        _, gradients = gradients_of(model, lambda: loss_of(model, batch), variables)
    return -np.concatenate(
        [
            np.zeros(int(np.prod(v.shape)))
            if g is None
            else g.ravel().astype("float64")
            for v, g in zip(variables, gradients, strict=True)
        ]
    )
