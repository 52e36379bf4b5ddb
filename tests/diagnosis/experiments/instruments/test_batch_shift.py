"""Scale, level and channels of batches are compared, and those of two epochs."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.experiments.instruments.batch_shift import (
    batch_shift,
    compare_batches,
)
from tests.diagnosis.nets import inputs, net, view

RNG = np.random.default_rng(0)
BATCHES = list(RNG.normal(size=(16, 32, 5)) * [1, 10, 100, 1, 0.1])
IMAGES = list(RNG.random((8, 16, 8, 8, 3)) * [0.9, 0.6, 0.4])


def test_all_alike():
    seen = compare_batches(BATCHES[:8], BATCHES[8:])
    assert seen.batches == 8
    assert 0.7 < seen.scales.min() <= seen.scales.max() < 1.4
    assert seen.shifts.max() < 1
    assert seen.epochs.scale == pytest.approx(1, abs=0.2)


def test_another_scale_or_level():
    seen = compare_batches([*BATCHES[:5], 255 * BATCHES[5]])
    assert seen.scales[5] == pytest.approx(255, rel=0.5)
    seen = compare_batches([*BATCHES[:5], BATCHES[5] + 2000])
    assert seen.shifts[5] > 10


def test_another_epoch():
    seen = compare_batches(BATCHES[:8], [batch / 255 for batch in BATCHES[8:]])
    assert seen.epochs.scale == pytest.approx(1 / 255, rel=0.2)
    assert compare_batches(BATCHES).epochs is None


def test_reversed_channels():
    mixed = [b[..., ::-1] if i % 2 else b for i, b in enumerate(IMAGES)]
    assert compare_batches(mixed).reversed == 4
    assert compare_batches(IMAGES).reversed == 0


def test_outliers_are_no_shift():
    sales = list(np.exp(2.5 * RNG.normal(size=(40, 32, 1))))
    assert compare_batches(sales[:20], sales[20:]).scales.max() < 4


def test_what_cannot_be_compared():
    assert compare_batches([np.array(["a"] * 9)] * 5) is None
    assert compare_batches(BATCHES[:3]) is None
    assert compare_batches([batch[:4] for batch in BATCHES]) is None
    assert compare_batches([np.ones((9, 2))] * 5) is None
    assert compare_batches(BATCHES[:4]) is not None


def test_each_input_has_a_name():
    x = inputs(128)
    data = [(x[i : i + 16], x[i : i + 16, :1]) for i in range(0, 128, 16)]
    assert list(batch_shift(view(net(1, loss="mse"), data).snapshot)) == ["input"]
    assert batch_shift(view(net(1, loss="mse"), x, x[:, :1]).snapshot) is None
