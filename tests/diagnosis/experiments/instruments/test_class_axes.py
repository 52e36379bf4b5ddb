"""The axes on which answers and targets sum to one."""

import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.class_axes import (
    axes_of_ids,
    axes_that_sum_to_one,
    class_axes,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.nets import inputs
from tests.diagnosis.single import sequential

X = inputs(64, 30).reshape(64, 10, 3)
IDS = np.random.default_rng(0).integers(0, 4, (64, 10))


def test_sums():
    one_hot = np.eye(4)[IDS]
    assert axes_that_sum_to_one(one_hot) == (2,)
    assert axes_that_sum_to_one(np.moveaxis(one_hot, 2, 1)) == (1,)
    assert axes_that_sum_to_one(np.full((4, 3), 0.25), first=0) == (0,)
    assert axes_that_sum_to_one(one_hot - 0.1) == ()
    assert axes_that_sum_to_one(np.full((4, 3), np.nan)) == ()
    assert axes_that_sum_to_one(np.ones((4, 1))) == ()


def test_ids():
    assert axes_of_ids(IDS, (64, 10, 4)) == (2,)
    assert axes_of_ids(IDS[..., None], (64, 10, 4)) == (2,)
    assert axes_of_ids(IDS, (64, 4, 10)) == (1,)
    assert axes_of_ids(IDS, (64, 10, 3)) == ()
    assert axes_of_ids(IDS + 0.5, (64, 10, 4)) == ()


@pytest.mark.parametrize(("axis", "differ"), [(1, True), (2, False)])
def test_one_output(axis, differ):
    model = sequential(layers.Dense(4), layers.Softmax(axis, name="s"), shape=(10, 3))
    for y in (IDS, np.eye(4)[IDS]):
        (axes,) = class_axes(Snapshot(model, X, y))
        assert axes == ((axis,), (2,), (64, 10, 4), "s")
        assert axes.differ == differ


def test_outputs_without_a_softmax_or_targets():
    logits = sequential(layers.Dense(4), shape=(10, 3))
    soft = sequential(layers.Dense(4, "softmax"), shape=(10, 3))
    assert class_axes(Snapshot(logits, X, IDS)) is None
    assert class_axes(Snapshot(soft, X)) is None
    assert class_axes(Snapshot(soft, X, IDS))[0].layer == soft.layers[-1].name
