"""Do the answers depend on the order of the steps?"""

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
from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.instruments.padding import find_padding
from keras_trainfix.diagnosis.measure.eval_pairs import read_rows
from keras_trainfix.diagnosis.measure.kernels import all_finite, shapes_of_ids
from keras_trainfix.diagnosis.measure.order_signal import OrderSignal, order_signal
from keras_trainfix.diagnosis.snapshot import OutputView, Snapshot

FEWEST_STEPS = 3
FEWEST_FOR_LEARNERS = 100
MOST_STEPS = 512


class Order(NamedTuple):
    """What another order of the steps does.

    Attributes:
        input: `Input`.
        moved: Float, how far the answers move if the steps of each sample are put into
            another order, over how far they move from one sample to the next.
    """

    input: Input
    moved: float


@instrument("steps in another order")
def order_of_steps(snapshot: Snapshot) -> list[Order] | None:
    """What another order of the steps does, for each input with steps.

    Args:
        snapshot: `Snapshot`.

    Returns:
        List of `Order`; None without such an input.
    """
    if snapshot.samples < FEWEST:
        return None
    seen = [_reordered(snapshot, one) for one in inputs_of(snapshot)]
    return [order for order in seen if order is not None] or None


def _reordered(snapshot, one):
    values = one.values
    is_ids = values.ndim == 2 and values.shape[1:] in shapes_of_ids(snapshot)
    if not is_ids and not (values.ndim == 3 and values.dtype.kind == "f"):
        return None
    if values.shape[1] < FEWEST_STEPS:
        return None
    x = some(snapshot, slice(FEW))
    order = _orders(values, FEW)
    rows = np.arange(len(order))[:, None]
    changed = replaced(x, one.key, values[:FEW][rows, order])
    others = keras.tree.map_structure(lambda leaf: np.roll(leaf, 1, axis=0), x)
    moved = apart = 0.0
    for same, new, other in zip(
        *answers_to(snapshot, [x, changed, others]), strict=True
    ):
        by = float(movement(same, new).mean())
        if same.ndim > 1 and same.shape[1] == values.shape[1]:  # one for each step?
            by = min(by, float(movement(same[rows, order], new).mean()))
        moved = max(moved, by)
        apart = max(apart, float(movement(same, other).mean()))
    return Order(one, moved / apart) if apart > 0 else None


def _orders(values, most):
    """An order of the steps of each sample; padding stays where it is."""
    number, steps = values[:most].shape[:2]
    padding = find_padding(values)
    is_token = np.ones((number, steps), bool)
    if padding is not None:
        is_token = padding.is_token[:most]
    rng = np.random.default_rng(0)
    orders = np.tile(np.arange(steps), (number, 1))
    for order, places in zip(orders, is_token, strict=True):
        order[places] = rng.permutation(order[places])
    return orders


def signal_in_order(view: OutputView, one: Input) -> OrderSignal | None:
    """What simple learners gain by the order of the steps of an input.

    Args:
        view: `OutputView`.
        one: `Input`.

    Returns:
        `OrderSignal`; None for targets of each step, or too few samples.
    """
    pairs, rows = read_rows(view)
    if pairs is None or rows is None or not all_finite(one.values):
        return None
    labels = view.labels
    if pairs.kind != "regression" and labels and int(np.prod(labels.shape)) > 1:
        return None
    if len(rows) < FEWEST_FOR_LEARNERS or len(pairs.targets) != len(rows):
        return None
    values = one.values[rows]
    if values.shape[1] > MOST_STEPS or pairs.targets.std(0).max() == 0:
        return None
    return order_signal(values, pairs.kind, pairs.targets)
