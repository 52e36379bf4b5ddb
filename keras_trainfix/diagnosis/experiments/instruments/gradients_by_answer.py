"""How each sample pulls at its answer: by its own target, and how hard."""

from typing import Any, NamedTuple

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.backward import (
    gradients_of,
    has_loss,
    has_own_loss,
)
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.observe.layer_outputs import untouched
from keras_trainfix.diagnosis.thresholds import NO_CHANGE
from keras_trainfix.diagnosis.trial.runner import tensors_of
from keras_trainfix.diagnosis.trial.user_step import has_own_step

MOST = 256  # samples
FEWEST = 8
MOST_NUMBERS = 2**20  # entries of the answers
TENTH = 0.1  # of the samples
NEARLY_ALL = 0.99  # of the gradient
MOST_COLUMNS = 16  # of targets that are asked one by one
ROUNDING = 0.01  # of the usual size of a gradient, below which it is rounding


class AnswerGradients(NamedTuple):
    """The gradient of the loss with respect to the answers of one output.

    It is taken at the answers of the model and at two made-up ones, since some losses,
    such as the absolute error far from the targets, do not tell samples apart there.

    Attributes:
        samples: Integer, how many samples there were.
        change: Float, what changes of the gradient if the samples exchange their
            targets, of its size there: the largest of all answers. NaN where it is 0
            throughout, or the targets are all the same.
        ignores: Whether even other targets change nothing: it never reads them.
        share: Float, the share of the gradient that the tenth of the samples with the
            largest has: the least of all answers. NaN where it cannot be told.
        largest: Array of the numbers of the fewest samples that have nearly all of the
            gradient at the answers of the model.
        by_column: Float, like `change`, if each sample exchanges its columns of a
            regression; NaN where these are equal, or there is one.
        unpaired: Tuple of the columns of the targets that the loss reads, and that
            samples can exchange, each alone, without any effect.
        is_flat: Whether it is 0 for all samples at the answers of the model.
        rows: Tuple of the rows of a batch that alone have a gradient, whichever samples
            are there; empty where that depends on the samples.
    """

    samples: int
    change: float
    ignores: bool
    share: float
    largest: np.ndarray
    by_column: float = float("nan")
    unpaired: tuple[int, ...] = ()
    is_flat: bool = False
    rows: tuple[int, ...] = ()


@instrument("pull of each sample at its answer")
def answer_gradients(snapshot: Any) -> dict[str, AnswerGradients] | None:
    """The `AnswerGradients` of each output that has targets and a loss.

    None without such an output, or if the training step is the user's, which may use
    targets in another way than the compiled loss.
    """
    if not has_loss(snapshot) or has_own_step(snapshot.model):
        return None
    has_own = has_own_loss(snapshot.model)
    asked = {
        view.name: _of_output(snapshot, view)
        for view in snapshot.views()
        if _is_number(view.targets)
        and len(view.targets) >= FEWEST
        and (has_own or view.loss.kind != "none")
    }
    return {name: seen for name, seen in asked.items() if seen is not None} or None


def _of_output(snapshot: Any, view: Any) -> AnswerGradients | None:
    size = int(np.prod(view.predictions.shape[1:]))
    most = int(np.clip(MOST_NUMBERS // max(size, 1), FEWEST, MOST))
    length = min(len(view.targets), most)
    numbers = np.linspace(0, len(view.targets) - 1, length).astype(int)
    slope_at = Slopes(snapshot, view, numbers)
    targets, predictions = view.targets[numbers], view.predictions[numbers]
    order = exchanged(targets)
    changes, lengths, shares, largest = [], [], [], numbers
    rows: list[set[int] | None] = []
    turned = _turned(view, targets)
    by_column: list[float] = []
    unpaired = set(_columns(targets)) if order is not None else set()
    is_flat = False
    ignores = order is not None
    for number, answers in enumerate(answers_for(predictions, targets)):
        slope = slope_at(answers, targets)
        if slope is None or not np.isfinite(slope).all():
            if number:  # a made-up answer that the loss does not take
                continue
            return None
        sizes = norms(slope)
        if not number:  # the answers of the model
            is_flat = not sizes.any()
            largest = numbers[those_that_drive(sizes)]
        shares.append(share_of_largest(sizes))
        rows.append(_rows(slope_at, answers, targets, sizes))
        if order is None or not slope.any():
            continue
        lengths.append(float(np.linalg.norm(sizes)))
        changes.append(distance(slope, slope_at(answers, targets[order])))
        if turned is not None:
            by_column.append(distance(slope, slope_at(answers, turned)))
        least = NO_CHANGE * lengths[-1]
        unpaired = {
            column
            for column in unpaired
            if _is_unpaired(slope_at, answers, targets, column, slope, least)
        }
        if ignores:
            lowest, highest = (
                slope_at(answers, np.repeat(targets[i : i + 1], length, axis=0))
                for i in extremes(targets)
            )
            ignores = distance(lowest, highest) == 0
    return AnswerGradients(
        length,
        _largest_change(changes, lengths) if changes else np.nan,
        ignores and bool(changes),
        min(shares),
        largest,
        _largest_change(by_column, lengths) if by_column else np.nan,
        tuple(sorted(unpaired)) if changes else (),
        is_flat,
        _all_of(rows),
    )


def _all_of(rows: list[set[int] | None]) -> tuple[int, ...]:
    """All rows; none if it depends on the samples at one of the answers."""
    known = [some for some in rows if some is not None]
    return tuple(sorted(set().union(*known))) if len(known) == len(rows) else ()


def _rows(
    slope_at: "Slopes", answers: np.ndarray, targets: np.ndarray, sizes: np.ndarray
) -> set[int] | None:
    """The few rows that have a gradient, before and after all samples change places.

    A sample in such a row may have none, as where its answer is clipped.
    """
    before, few = set(np.flatnonzero(sizes).tolist()), TENTH * len(sizes)
    if len(before) > few:
        return None
    half = len(sizes) // 2
    slope = slope_at(np.roll(answers, half, 0), np.roll(targets, half, 0))
    if slope is None:
        return None
    after = set(np.flatnonzero(norms(slope)).tolist())
    moved = {(row + half) % len(sizes) for row in before}
    either = before | after
    return either if len(either) <= few and not moved & after else None


def _largest_change(changes: list[float], lengths: list[float]) -> float:
    """The largest change, of the size of the gradient at the same answers.

    Answers on another scale than the targets have a gradient that hardly depends on
    these, whatever the loss; and where it is nearly 0, all of it is rounding.
    """
    least = ROUNDING * float(np.median(lengths))
    pairs = zip(changes, lengths, strict=True)
    return max(change / max(length, least) for change, length in pairs)


def exchanged(targets: np.ndarray) -> np.ndarray | None:
    """An order in which most samples have the target of another; None if all agree.

    Args:
        targets: Array `(N, ...)` of numbers.
    """
    ranks, flat = _ranks(targets)
    if (flat == flat[:1]).all():
        return None
    order = np.empty(len(ranks), int)
    order[ranks] = np.roll(ranks, len(ranks) // 2)
    return order


def _turned(view: Any, targets: np.ndarray) -> np.ndarray | None:
    """The targets of a regression with their columns exchanged; None if that is them.

    The columns of classes have other rules: the loss of logits ignores their sum.
    """
    if view.task != "regression" or targets.ndim < 2:
        return None
    turned = np.roll(targets, 1, axis=-1)
    return None if np.array_equal(turned, targets) else turned


def _columns(targets: np.ndarray) -> list[int]:
    """The columns of targets that carry something for each sample of its own."""
    if targets.ndim != 2 or not 2 <= targets.shape[1] <= MOST_COLUMNS:
        return []
    return [c for c, column in enumerate(targets.T) if len(np.unique(column)) > 2]


def _is_unpaired(
    slope_at: "Slopes",
    answers: np.ndarray,
    targets: np.ndarray,
    column: int,
    slope: np.ndarray,
    least: float,
) -> bool:
    """Whether the gradient depends on the values of a column, not on their order."""
    reordered, doubled = targets.copy(), targets.copy()
    reordered[:, column] = targets[exchanged(targets[:, column]), column]
    if not distance(slope, slope_at(answers, reordered)) <= least:
        return False
    doubled[:, column] *= 2
    return distance(slope, slope_at(answers, doubled)) > least


def extremes(targets: np.ndarray) -> tuple[int, int]:
    """The numbers of two samples whose targets are as different as can be."""
    ranks, _ = _ranks(targets)
    return int(ranks[0]), int(ranks[-1])


def _ranks(targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = np.nan_to_num(np.asarray(targets, "float64").reshape(len(targets), -1))
    return np.lexsort(flat.T[::-1]), flat


def norms(slope: np.ndarray) -> np.ndarray:
    """The size of the gradient of each sample."""
    return np.sqrt(np.sum(slope.reshape(len(slope), -1).astype("float64") ** 2, axis=1))


def share_of_largest(sizes: np.ndarray) -> float:
    """The share of a tenth, of the samples with a gradient; NaN if these are few."""
    sizes = np.sort(sizes[sizes > 0])[::-1]
    if len(sizes) < 2 / TENTH:
        return float("nan")
    return float(sizes[: int(np.ceil(TENTH * len(sizes)))].sum() / sizes.sum())


def those_that_drive(sizes: np.ndarray) -> np.ndarray:
    """The numbers of the fewest samples that have nearly all of the gradient."""
    order = np.argsort(-sizes)
    share = np.cumsum(sizes[order]) / max(sizes.sum(), 1e-300)
    return order[: int(np.searchsorted(share, NEARLY_ALL)) + 1]


def distance(one: np.ndarray | None, other: np.ndarray | None) -> float:
    """How far two gradients are apart; infinite where one is unknown."""
    if one is None or other is None:
        return float("inf")
    difference = np.linalg.norm(np.asarray(one, "float64") - other)
    return float(difference) if np.isfinite(difference) else float("inf")


def _is_number(targets: Any) -> bool:
    return targets is not None and targets.dtype.kind in "biuf" and targets.ndim > 0


def answers_for(predictions: np.ndarray, targets: np.ndarray) -> list[np.ndarray]:
    """Answers at which a gradient is taken: those of the model, and two made-up ones.

    Args:
        predictions: Array `(N, ...)`.
        targets: Array `(N, ...)`.

    Returns:
        List of float32 arrays of the shape of the predictions.
    """
    rng = np.random.default_rng(0)
    made = [predictions]
    if predictions.size == targets.size:
        # Targets of other samples: some too high, some too low.
        mixed = targets[rng.integers(0, len(targets), len(targets))].astype("float32")
        is_share = mixed.size and mixed.min() >= 0 and mixed.max() <= 1
        mixed = 0.2 + 0.6 * mixed if is_share else mixed
        made.append(mixed.reshape(predictions.shape))
    drawn = rng.uniform(0.2, 0.8, predictions.shape)
    if predictions.min() < 0 or predictions.max() > 1:
        spread = max(float(predictions.std()), 1.0)
        drawn = predictions.mean() + spread * rng.normal(size=predictions.shape)
    elif predictions.ndim > 1 and np.allclose(predictions.sum(-1), 1, atol=1e-3):
        drawn /= drawn.sum(-1, keepdims=True)
    return [np.asarray(answers, "float32") for answers in [*made, drawn]]


class Slopes:
    """The gradient of the loss with respect to the answers of an output.

    Args:
        snapshot: `Snapshot`.
        view: `OutputView`.
        numbers: Array of the numbers of the samples.
    """

    def __init__(self, snapshot: Any, view: Any, numbers: np.ndarray) -> None:
        self.model, self.view = snapshot.model, view
        self.x, self.y, _ = tensors_of(snapshot.sample, numbers)
        self.others = {
            name: keras.ops.convert_to_tensor(predictions[numbers])
            for name, predictions in zip(
                snapshot.names, snapshot.predictions, strict=True
            )
        }
        x, *_ = tensors_of(snapshot.sample, slice(1))
        with untouched(self.model), backend.no_gradient():
            self.structure = self.model(x, training=False)

    def __call__(self, answers: np.ndarray, targets: np.ndarray) -> np.ndarray | None:
        # A new tensor also lacks the logits that TensorFlow keeps beside probabilities.
        variable = keras.Variable(answers, dtype="float32", name="answers")
        y = self._with_targets(targets)

        def loss():
            named = {**self.others, self.view.name: variable.value}
            y_pred = _like(self.structure, named)
            return self.model.compute_loss(
                x=self.x, y=y, y_pred=y_pred, sample_weight=None
            )

        with untouched(self.model):
            return gradients_of(self.model, loss, [variable])[1][0]

    def _with_targets(self, targets: np.ndarray) -> Any:
        is_float = targets.dtype.kind == "f"
        targets = targets.astype(keras.config.floatx()) if is_float else targets
        tensor = keras.ops.convert_to_tensor(targets)
        if isinstance(self.y, dict):
            name = self.view.name if len(self.y) > 1 else next(iter(self.y))
            return {**self.y, name: tensor}
        flat = keras.tree.flatten(self.y)
        flat[self.view.index] = tensor
        return keras.tree.pack_sequence_as(self.y, flat)


def _like(structure: Any, named: dict[str, Any]) -> Any:
    """Outputs in the structure in which the model gives them."""
    if isinstance(structure, dict):
        return {name: named[name] for name in structure}
    return keras.tree.pack_sequence_as(structure, list(named.values()))
