"""Work is counted in multiply-adds, and a plan fits a budget."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from keras_trainfix.diagnosis.budget import Plan, Work, plan, work_of
from keras_trainfix.diagnosis.snapshot import Snapshot

WANTED, FEWEST = Plan(32, 128, 20), Plan(4, 24, 6)


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (layers.Dense(5), (7,), 35),
        (layers.Dense(5), (3, 7), 105),
        (layers.Conv2D(4, 3), (8, 8, 2), 6 * 6 * 9 * 2 * 4),
        (layers.Conv2D(4, 3, data_format="channels_first"), (2, 8, 8), 2592),
        (layers.DepthwiseConv2D(3), (8, 8, 2), 6 * 6 * 9 * 2),
        (layers.SimpleRNN(5, use_bias=False), (10, 3), 10 * (15 + 25)),
    ],
)
def test_multiply_adds(layer, shape, expected):
    if keras.backend.backend() == "tensorflow" and shape[0] == 2:
        pytest.skip("TensorFlow convolves channels first on GPUs only")
    model = keras.Sequential([keras.Input(shape), layer])
    snapshot = Snapshot(model, np.ones((2, *shape), "float32"))
    work = work_of(snapshot.layers, snapshot.inputs.values())
    assert work.sample == expected
    assert work.of_step(8) > 8 * expected


def test_a_small_model_gets_what_is_wanted():
    assert plan(Work(1e3, 1e3), 1e12, WANTED, FEWEST) == WANTED


@given(st.floats(1, 1e11), st.floats(1, 1e9))
def test_a_plan_fits_the_budget_or_is_the_fewest(sample, call):
    work, budget = Work(sample, call), 1e12
    found = plan(work, budget, WANTED, FEWEST)
    assert all(f <= n <= w for f, n, w in zip(FEWEST, found, WANTED, strict=True))
    fits = work.of_step(found.batch) * found.steps * found.runs <= budget
    assert fits or found == FEWEST


def test_the_batch_shrinks_first():
    found = plan(Work(1e7, 1e3), 1e12, WANTED, FEWEST)
    assert found.batch < WANTED.batch
    assert found[1:] == WANTED[1:]
