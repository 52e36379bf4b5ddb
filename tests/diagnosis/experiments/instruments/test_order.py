"""What another order of the steps does to the answers."""

import numpy as np
import pytest
from keras import layers

from keras_trainfix.diagnosis.experiments.instruments.order import (
    order_of_steps,
    signal_in_order,
)
from keras_trainfix.diagnosis.snapshot import Snapshot
from tests.diagnosis.experiments.instruments.sequences import (
    padded,
    reader,
    tokens,
)
from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import sequential

POOL = layers.GlobalAveragePooling1D


def moved(model, x):
    (order,) = order_of_steps(Snapshot(model, x))
    return order.moved


@pytest.mark.parametrize(
    ("parts", "sees"),
    [
        (lambda: [POOL()], False),
        (lambda: [layers.Dense(8, "relu"), layers.GlobalMaxPooling1D()], False),
        (lambda: [layers.GRU(8)], True),
        (lambda: [layers.Conv1D(8, 2), layers.GlobalMaxPooling1D()], True),
        (lambda: [layers.Flatten()], True),
        (lambda: [layers.Dense(8)], False),  # an answer for each step, by itself
        (lambda: [layers.GRU(8, return_sequences=True)], True),
    ],
)
def test_models_that_see_the_order(parts, sees):
    assert (moved(reader(*parts()), tokens()) > 1e-4) == sees
    x = np.random.default_rng(0).normal(size=(64, 8, 3)).astype("float32")
    assert (moved(sequential(*parts(), shape=(8, 3)), x) > 1e-4) == sees


def test_padding_stays_in_its_place():
    x = padded(steps=40)
    assert moved(reader(POOL(), steps=40), x) < 1e-4
    last = layers.Lambda(lambda h: h[:, 20:])  # only padding
    assert order_of_steps(Snapshot(reader(last, POOL(), steps=40), x)) is None
    assert moved(reader(layers.GRU(8), steps=40, mask_zero=True), x) > 0.05


def test_without_steps():
    assert order_of_steps(Snapshot(net(), inputs())) is None
    constant = reader(POOL())
    constant.layers[-1].kernel.assign(np.zeros((16, 12)))
    assert order_of_steps(Snapshot(constant, tokens())) is None


def test_a_signal_needs_one_target_for_a_sample():
    x = tokens(samples=128)
    for y, shape in ((x[:, 0], (POOL(),)), (x, ())):
        (view,) = Snapshot(reader(*shape), x, y).views()
        (order,) = order_of_steps(view.snapshot)
        signal = signal_in_order(view, order.input)
        assert (signal is None) == (y.ndim > 1)
    (view,) = Snapshot(reader(POOL()), x[:50], x[:50, 0]).views()
    assert signal_in_order(view, order.input._replace(values=x[:50])) is None
