"""Scale, shift and channels of two sets of inputs."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.measure.input_gap import (
    are_channels_reversed,
    channels_last,
    input_gap,
)

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(400, 5)) * [1, 10, 100, 1, 1] + [0, 5, 300, 1, 0]
IMAGES = RNG.random((60, 8, 8, 3)) * [0.9, 0.6, 0.5]


def test_the_same_source():
    gap = input_gap(TABLE[:250], TABLE[250:])
    assert gap.shift < 0.2
    assert gap.scale == pytest.approx(1, abs=0.15)
    assert not gap.is_reversed


def test_another_scale_and_shift():
    gap = input_gap(TABLE[:250], 4 * TABLE[250:])
    assert gap.scale == pytest.approx(4, rel=0.15)
    gap = input_gap(TABLE[:250], TABLE[250:] + 6 * TABLE.std(0))
    assert gap.shift == pytest.approx(6, rel=0.1)
    assert gap.ranges[0] == pytest.approx((TABLE[:250].min(), TABLE[:250].max()))


def test_rare_columns_do_not_count():
    words = (RNG.random((200, 300)) < 0.005).astype("float32")
    assert input_gap(words[:100], words[100:]).scale == pytest.approx(1, abs=0.5)
    assert input_gap(words[:100], words[100:] * 50).scale > 10


def test_outliers_do_not_decide():
    sales = np.exp(2.5 * RNG.normal(size=(400, 1)))
    for cut in (40, 100, 200):
        assert 0.4 < input_gap(sales[cut:], sales[:cut]).scale < 2.5
    assert input_gap(sales[100:], 10 * sales[:100]).scale > 5


def test_constant_columns_do_not_count():
    table = TABLE.copy()
    table[:, 0] = 3
    other = 2 * table[250:]
    other[:, 0] = 9
    assert input_gap(table[:250], other).scale == pytest.approx(2, rel=0.15)
    assert input_gap(np.ones((20, 2)), np.zeros((20, 2))) is None


def test_reversed_channels():
    one, two = IMAGES[:30], IMAGES[30:]
    assert input_gap(one, two[..., ::-1]).is_reversed
    assert not input_gap(one, two).is_reversed
    assert not are_channels_reversed(one, two * [1, 0.5, 1])
    assert not are_channels_reversed(one[..., :1], two[..., :1])


def test_gray_images_have_no_order():
    gray = np.repeat(IMAGES[..., :1], 3, -1)
    assert not input_gap(gray[:30], gray[30:][..., ::-1]).is_reversed


def test_what_cannot_be_compared():
    assert input_gap(np.array(["a"] * 20), np.array(["b"] * 20)) is None
    assert input_gap(TABLE, TABLE[:3]) is None
    assert input_gap(TABLE, TABLE[:, :3]) is None
    assert input_gap(TABLE, np.full((20, 5), np.nan)) is None
    assert input_gap(TABLE, TABLE).scale == pytest.approx(1)


def test_channels_last():
    assert channels_last(np.zeros((2, 3, 8, 8))).shape == (2, 8, 8, 3)
    assert channels_last(np.zeros((2, 8, 8, 3))).shape == (2, 8, 8, 3)
    assert channels_last(np.zeros((2, 3))).shape == (2, 3)
